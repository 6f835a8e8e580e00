//! What a viewer looks at in an RTP packet.

use std::hash::{DefaultHasher, Hasher as _};

/// An RTP packet, without its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) sequence: u16,
    /// The last one of a picture.
    pub(crate) marker: bool,
    /// Whether MediaSoup takes it for the start of a key frame: it brings an SPS.
    pub(crate) key: bool,
    /// Of the payload.
    pub(crate) hash: u64,
}

impl Packet {
    /// Reads an RTP packet; none when it is RTCP, or broken.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let header = bytes.get(..12)?;
        // Version 2; types 72 to 76 with the marker bit are RTCP's 200 to 204.
        if header[0] >> 6 != 2 || (192..=223).contains(&header[1]) {
            return None;
        }
        let mut start = 12 + 4 * usize::from(header[0] & 0x0f);
        if header[0] & 0x10 != 0 {
            let words = bytes.get(start + 2..start + 4)?;
            start += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
        }
        let padding = if header[0] & 0x20 != 0 { usize::from(*bytes.last()?) } else { 0 };
        let payload = bytes.get(start..bytes.len().checked_sub(padding)?)?;
        let mut hasher = DefaultHasher::new();
        hasher.write(payload);
        Some(Self {
            sequence: u16::from_be_bytes([header[2], header[3]]),
            marker: header[1] & 0x80 != 0,
            key: is_key(payload),
            hash: hasher.finish(),
        })
    }
}

/// Whether an H.264 payload brings an SPS (NAL unit type 7): alone, in a STAP-A (24), or at the start of an FU (28, 29).
fn is_key(payload: &[u8]) -> bool {
    const SPS: u8 = 7;
    let kind = |byte: &u8| byte & 0x1f;
    match payload.first().map(kind) {
        Some(SPS) => true,
        Some(24) => {
            let mut rest = &payload[1..];
            while let [high, low, unit @ ..] = rest {
                if unit.first().map(kind) == Some(SPS) {
                    return true;
                }
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                let Some(next) = unit.get(length..) else { return false };
                rest = next;
            }
            false
        }
        Some(28 | 29) => payload.get(1).is_some_and(|fu| fu & 0x80 != 0 && kind(fu) == SPS),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_and_padding_are_not_payload() {
        let plain = [0x80, 0x60, 1, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0x67, 9, 9];
        let packet = Packet::parse(&plain).expect("an RTP packet");
        assert_eq!((packet.sequence, packet.marker, packet.key), (0x102, false, true));

        let mut extended = plain[..12].to_vec();
        extended[0] |= 0x30;
        extended.extend([0xbe, 0xde, 0, 1, 0x10, 0xff, 0, 0]);
        extended.extend([0x67, 9, 9, 0, 0, 3]);
        assert_eq!(Packet::parse(&extended).map(|packet| packet.hash), Some(packet.hash));
    }

    #[test]
    fn rtcp_and_what_is_cut_off_are_no_packets() {
        assert_eq!(Packet::parse(&[0x80, 200, 0, 6, 0, 0, 0, 0, 0, 0, 0, 1, 0]), None);
        assert_eq!(Packet::parse(&[0x90, 0x60, 1, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0xbe, 0xde, 0xff, 0xff]), None);
        assert_eq!(Packet::parse(&[0x80]), None);
    }

    #[test]
    fn an_sps_is_found_in_an_aggregate() {
        assert!(is_key(&[24, 0, 2, 9, 0xf0, 0, 1, 0x67]));
        assert!(!is_key(&[24, 0, 2, 9, 0xf0, 0, 1, 0x68]));
        assert!(!is_key(&[24, 0xff]));
        assert!(is_key(&[28, 0x87]) && !is_key(&[28, 0x07]) && !is_key(&[0x65]));
    }
}
