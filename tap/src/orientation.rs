//! How a picture is to be turned, from the display matrix that a frame may carry.

use vas_ring::Orientation;

/// `AV_FRAME_DATA_DISPLAYMATRIX`, the same in all versions of FFmpeg.
pub(crate) const DISPLAY_MATRIX: core::ffi::c_int = 6;

/// The orientation that a display matrix stands for: nine integers, `[a b u, c d v, x y w]`, by which the pixel at
/// `(p, q)`, counted from the top left, is shown at `(a p + c q + x, b p + d q + y)`, each up to a factor.
///
/// A matrix that scales both directions alike is one of the eight; one that does anything else is
/// [`Orientation::OTHER`].
pub(crate) fn of_matrix(bytes: &[u8]) -> Orientation {
    let Some(bytes) = bytes.first_chunk::<36>() else { return Orientation::OTHER };
    let mut matrix = [0_i32; 9];
    for (number, bytes) in matrix.iter_mut().zip(bytes.as_chunks::<4>().0) {
        *number = i32::from_ne_bytes(*bytes);
    }
    let [a, b, u, c, d, v, _, _, w] = matrix;
    if u != 0 || v != 0 || w <= 0 {
        return Orientation::OTHER;
    }
    match [a, b, c, d].map(i32::signum) {
        [_, 0, 0, _] if a.unsigned_abs() != d.unsigned_abs() => Orientation::OTHER,
        [0, _, _, 0] if b.unsigned_abs() != c.unsigned_abs() => Orientation::OTHER,
        [1, 0, 0, 1] => Orientation::UPRIGHT,
        [-1, 0, 0, 1] => Orientation::MIRRORED,
        [-1, 0, 0, -1] => Orientation::TURNED_180,
        [1, 0, 0, -1] => Orientation::FLIPPED,
        [0, 1, 1, 0] => Orientation::TRANSPOSED,
        [0, 1, -1, 0] => Orientation::TURNED_90,
        [0, -1, -1, 0] => Orientation::TRANSVERSED,
        [0, -1, 1, 0] => Orientation::TURNED_270,
        _ => Orientation::OTHER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(abcd: [i32; 4], rest: [i32; 5]) -> Orientation {
        let [a, b, c, d] = abcd;
        let [u, v, x, y, w] = rest;
        let bytes: Vec<u8> = [a, b, u, c, d, v, x, y, w].into_iter().flat_map(i32::to_ne_bytes).collect();
        of_matrix(&bytes)
    }

    #[test]
    fn eight_and_no_more() {
        let sound = [0, 0, 12, -5, 1 << 30];
        let one = 1 << 16;
        assert_eq!(of([one, 0, 0, one], sound), Orientation::UPRIGHT);
        assert_eq!(of([2 * one, 0, 0, 2 * one], sound), Orientation::UPRIGHT, "twice as large");
        assert_eq!(of([0, one, -one, 0], sound), Orientation::TURNED_90);
        for (abcd, rest) in [
            ([2 * one, 0, 0, one], sound),
            ([0, one, 2 * one, 0], sound),
            ([one, one, -one, one], sound),
            ([one, 1, 0, one], sound),
            ([0; 4], sound),
            ([one, 0, 0, 0], sound),
            ([i32::MIN, 0, 0, i32::MAX], sound),
            ([one, 0, 0, one], [1, 0, 0, 0, 1 << 30]),
            ([one, 0, 0, one], [0, -1, 0, 0, 1 << 30]),
            ([one, 0, 0, one], [0; 5]),
        ] {
            assert_eq!(of(abcd, rest), Orientation::OTHER, "{abcd:?} {rest:?}");
        }
        assert_eq!(of_matrix(&[0; 35]), Orientation::OTHER);
        assert_eq!(of_matrix(&[]), Orientation::OTHER);
    }
}
