//! Frames of AWS's event stream, from <https://smithy.io/2.0/aws/amazon-eventstream.html>.

/// CRC-32 as ISO 3309 has it, a table of its remainders by byte.
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let (mut byte, mut value) = (0, 0);
    while byte < table.len() {
        let mut remainder: u32 = value;
        let mut bit = 0;
        while bit < 8 {
            remainder = if remainder & 1 == 1 { (remainder >> 1) ^ 0xedb8_8320 } else { remainder >> 1 };
            bit += 1;
        }
        table[byte] = remainder;
        byte += 1;
        value += 1;
    }
    table
};

fn checksum(bytes: &[u8]) -> [u8; 4] {
    let step = |sum: u32, byte: &u8| (sum >> 8) ^ TABLE[usize::from(sum.to_le_bytes()[0] ^ byte)];
    (!bytes.iter().fold(u32::MAX, step)).to_be_bytes()
}

/// Writes a frame: an event, or an exception, of a type.
pub(super) fn write(out: &mut Vec<u8>, message: &str, kind: &str, payload: &[u8]) {
    let start = out.len();
    out.extend_from_slice(&[0; 12]);
    header(out, &format!(":{message}-type"), kind);
    header(out, ":content-type", "application/json");
    header(out, ":message-type", message);
    let headers = out.len() - start - 12;
    out.extend_from_slice(payload);
    let number = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    let total = out.len() - start + 4;
    out[start..start + 4].copy_from_slice(&number(total));
    out[start + 4..start + 8].copy_from_slice(&number(headers));
    let sum = checksum(&out[start..start + 8]);
    out[start + 8..start + 12].copy_from_slice(&sum);
    let sum = checksum(&out[start..]);
    out.extend_from_slice(&sum);
}

/// Writes a header whose value is a string of fewer than 256 bytes.
fn header(out: &mut Vec<u8>, name: &str, value: &str) {
    out.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(&[7, 0, u8::try_from(value.len()).unwrap_or(u8::MAX)]);
    out.extend_from_slice(value.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        assert_eq!(checksum(b"123456789"), 0xcbf4_3926_u32.to_be_bytes());
        assert_eq!(checksum(b""), [0; 4]);
    }
}
