//! H.264 as MP4 holds it: SPS and PPS apart from the pictures.

/// The SPS and PPS of an `avcC` box, each behind its length in as many bytes as the stream's units have. None when it is
/// no such box: the stream has them before its key frames.
pub fn parameter_sets(extradata: &[u8]) -> Vec<u8> {
    let read = || {
        let (head, mut rest) = extradata.split_at_checked(5)?;
        if head[0] != 1 {
            return None;
        }
        let length_bytes = usize::from(head[4] & 3) + 1;
        let mut sets = Vec::new();
        for mask in [0x1f, 0xff] {
            let (count, after) = rest.split_first()?;
            rest = after;
            for _ in 0..count & mask {
                let (length, after) = rest.split_at_checked(2)?;
                let length = u16::from_be_bytes([length[0], length[1]]);
                let (set, after) = after.split_at_checked(length.into())?;
                rest = after;
                let length = u64::from(length).to_be_bytes();
                sets.extend_from_slice(&length[length.len() - length_bytes..]);
                sets.extend_from_slice(set);
            }
        }
        Some(sets)
    };
    read().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameter_sets_are_taken_out_of_their_box() {
        let mut boxed = vec![1, 0x4d, 0, 0x1f, 0xff, 0xe1, 0, 3, 0x67, 1, 2, 1, 0, 2, 0x68, 9];
        assert_eq!(parameter_sets(&boxed), [0, 0, 0, 3, 0x67, 1, 2, 0, 0, 0, 2, 0x68, 9]);
        boxed[4] = 0xfd;
        assert_eq!(parameter_sets(&boxed), [0, 3, 0x67, 1, 2, 0, 2, 0x68, 9]);
        boxed.pop();
        assert_eq!(parameter_sets(&boxed), []);
        assert_eq!(parameter_sets(&[0, 0, 0, 1, 0x67, 1]), []);
    }
}
