//! The line items of a cost, and the price keys of the data they are charged by.

/// A line item: a kind of unit with a rate of its own.
///
/// Units whose line a model does not price are charged as the kind that contains them: cached input as input, audio as
/// the text beside it, reasoning as output.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(usize)]
pub enum Line {
    /// Input tokens that no other line takes.
    Input,
    /// Tokens read from the provider's prompt cache.
    CacheRead,
    /// Tokens written to the provider's prompt cache for five minutes, or its only lifetime.
    CacheWrite,
    /// Tokens written to the provider's prompt cache for an hour.
    CacheWriteHour,
    /// Audio input tokens.
    InputAudio,
    /// Audio input tokens read from the provider's prompt cache.
    CacheReadAudio,
    /// Output tokens that no other line takes.
    Output,
    /// Reasoning tokens.
    Reasoning,
    /// Audio output tokens.
    OutputAudio,
    /// The request itself.
    Request,
}

impl Line {
    /// How many lines there are.
    pub const COUNT: usize = Self::ALL.len();

    /// Every line, in the order of their declaration.
    pub const ALL: [Self; 10] = [
        Self::Input,
        Self::CacheRead,
        Self::CacheWrite,
        Self::CacheWriteHour,
        Self::InputAudio,
        Self::CacheReadAudio,
        Self::Output,
        Self::Reasoning,
        Self::OutputAudio,
        Self::Request,
    ];

    /// The lines that input tokens are charged on.
    pub(crate) const INPUT: [Self; 6] = [
        Self::Input,
        Self::CacheRead,
        Self::CacheWrite,
        Self::CacheWriteHour,
        Self::InputAudio,
        Self::CacheReadAudio,
    ];

    /// The lines that output tokens are charged on.
    pub(crate) const OUTPUT: [Self; 3] = [Self::Output, Self::Reasoning, Self::OutputAudio];

    /// Its name in breakdowns.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::CacheRead => "cache_read",
            Self::CacheWrite => "cache_write",
            Self::CacheWriteHour => "cache_write_1h",
            Self::InputAudio => "input_audio",
            Self::CacheReadAudio => "cache_read_audio",
            Self::Output => "output",
            Self::Reasoning => "reasoning",
            Self::OutputAudio => "output_audio",
            Self::Request => "request",
        }
    }
}

/// What a price key of the data means to us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PriceKey {
    /// It prices this line.
    Line(Line),
    /// It prices input tokens that [`stepwell_types::Usage`] does not tell apart: it counts in bounds only.
    OtherInput,
    /// It prices output tokens that [`stepwell_types::Usage`] does not tell apart: it counts in bounds only.
    OtherOutput,
    /// It prices what is not metered in tokens or requests: hours, pages, characters, searches.
    Fee,
}

impl PriceKey {
    /// The meaning of a key, unless this version does not know it.
    pub(crate) fn from_text(key: &str) -> Option<Self> {
        Some(match key {
            "input_mtok" => Self::Line(Line::Input),
            "cache_read_mtok" => Self::Line(Line::CacheRead),
            "cache_write_mtok" => Self::Line(Line::CacheWrite),
            "cache_write_1h_mtok" => Self::Line(Line::CacheWriteHour),
            "input_audio_mtok" => Self::Line(Line::InputAudio),
            "cache_audio_read_mtok" => Self::Line(Line::CacheReadAudio),
            "output_mtok" => Self::Line(Line::Output),
            "output_reasoning_mtok" => Self::Line(Line::Reasoning),
            "output_audio_mtok" => Self::Line(Line::OutputAudio),
            "requests_kcount" => Self::Line(Line::Request),
            "input_image_mtok" | "input_video_mtok" | "cache_image_read_mtok" => Self::OtherInput,
            "output_image_mtok" | "output_video_mtok" | "output_citation_mtok" => Self::OtherOutput,
            "audio_hours"
            | "input_audio_hours"
            | "input_document_kpages"
            | "input_annotated_document_kpages"
            | "input_mchars"
            | "input_text_messages_kcount"
            | "storage_searches_kcount"
            | "web_searches_kcount" => Self::Fee,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stand_at_their_own_index() {
        for (index, line) in Line::ALL.into_iter().enumerate() {
            assert_eq!(line as usize, index, "{}", line.as_str());
        }
        assert_eq!(Line::INPUT.len() + Line::OUTPUT.len() + 1, Line::COUNT);
    }
}
