//! Formats of images, documents and sound, which Bedrock names by the ending of a file:
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ImageBlock.html>,
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_DocumentBlock.html>,
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_AudioBlock.html>.

/// Formats and the media types they stand for. Of several for one format, the first is the one that is read.
type Table = &'static [(&'static str, &'static str)];

pub(super) const IMAGES: Table = &[
    ("png", "image/png"),
    ("jpeg", "image/jpeg"),
    ("jpeg", "image/jpg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
];

pub(super) const DOCUMENTS: Table = &[
    ("pdf", "application/pdf"),
    ("csv", "text/csv"),
    ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xls", "application/vnd.ms-excel"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("html", "text/html"),
    ("txt", "text/plain"),
    ("md", "text/markdown"),
];

pub(super) const SOUND: Table = &[
    ("wav", "audio/wav"),
    ("wav", "audio/x-wav"),
    ("wav", "audio/wave"),
    ("mp3", "audio/mp3"),
    ("mp3", "audio/mpeg"),
    ("opus", "audio/opus"),
    ("aac", "audio/aac"),
    ("flac", "audio/flac"),
    ("ogg", "audio/ogg"),
    ("m4a", "audio/m4a"),
    ("mp4", "audio/mp4"),
    ("webm", "audio/webm"),
    ("pcm", "audio/pcm"),
];

/// The format of a media type.
pub(super) fn format_of(table: Table, media_type: &str) -> Option<&'static str> {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    table.iter().find(|(_, known)| known.eq_ignore_ascii_case(essence)).map(|(format, _)| *format)
}

/// The media type of a format.
pub(super) fn type_of(table: Table, format: &str) -> Option<&'static str> {
    table.iter().find(|(known, _)| *known == format).map(|(_, media_type)| *media_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_reads_back() {
        for table in [IMAGES, DOCUMENTS, SOUND] {
            for (format, media_type) in table {
                assert_eq!(format_of(table, media_type), Some(*format));
                assert_eq!(type_of(table, format).and_then(|kind| format_of(table, kind)), Some(*format));
            }
        }
        assert_eq!(format_of(DOCUMENTS, "text/plain; charset=utf-8"), Some("txt"));
        assert_eq!(format_of(IMAGES, "image/tiff"), None);
        assert_eq!(type_of(IMAGES, "tiff"), None);
    }
}
