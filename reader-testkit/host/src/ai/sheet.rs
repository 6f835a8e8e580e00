//! The contact sheet: a row of pictures for each reader, with their frame ids and times.

use font8x8::UnicodeFonts as _;
use vas_reader_testkit::snapshot::Picture;

use super::reader::Shot;

/// Pictures of one reader.
pub(super) const COLUMNS: usize = 5;

/// Most pixels of a thumbnail across and down.
const THUMBNAIL: (usize, usize) = (320, 240);
const GAP: usize = 12;
/// Pixels of a letter on the sheet, each way.
const LETTER: usize = 8;
const PAPER: [u8; 3] = [24, 24, 28];
const INK: [u8; 3] = [220, 220, 210];

/// A frame's picture, small enough for the sheet.
pub(super) fn thumbnail(picture: &Picture) -> Picture {
    let (width, height) = (picture.width(), picture.height());
    // By how much it is to shrink, as the larger of two fractions.
    let (over, under) =
        if width * THUMBNAIL.1 > height * THUMBNAIL.0 { (width, THUMBNAIL.0) } else { (height, THUMBNAIL.1) };
    if over <= under { picture.clone() } else { picture.shrunk_to(width * under / over, height * under / over) }
}

/// A sheet of titled rows; none without pictures.
pub(super) fn of(rows: &[(String, Vec<Shot>)]) -> Option<Picture> {
    let rows: Vec<_> = rows.iter().filter(|(_, shots)| !shots.is_empty()).collect();
    if rows.is_empty() {
        return None;
    }
    let height_of = |shots: &[Shot]| shots.iter().map(|shot| shot.picture.height()).max().unwrap_or(0);
    let row_height = |shots: &[Shot]| 2 * (LETTER + GAP) + height_of(shots) + GAP;
    let width = GAP + COLUMNS * (THUMBNAIL.0 + GAP);
    let height = GAP + rows.iter().map(|(_, shots)| row_height(shots)).sum::<usize>();
    let mut sheet = Picture::plain(width, height, PAPER);
    let mut y = GAP;
    for (title, shots) in rows {
        write(&mut sheet, title, GAP, y);
        for (column, shot) in shots.iter().enumerate() {
            let (x, top) = (GAP + column * (THUMBNAIL.0 + GAP), y + LETTER + GAP);
            sheet.put(&shot.picture, x, top);
            let time = shot.seconds.map(|seconds| format!(", {seconds:.2} s")).unwrap_or_default();
            write(&mut sheet, &format!("frame {}{time}", shot.frame_id), x, top + shot.picture.height() + GAP / 2);
        }
        y += row_height(shots);
    }
    Some(sheet)
}

/// Writes a line of text, its upper left corner at column `x` of row `y`.
fn write(sheet: &mut Picture, text: &str, x: usize, y: usize) {
    let mut letter = Picture::plain(LETTER, LETTER, PAPER);
    for (n, glyph) in text.chars().map(|c| font8x8::BASIC_FONTS.get(c).unwrap_or([0x7e; LETTER])).enumerate() {
        for (at, pixel) in letter.rgb_mut().chunks_exact_mut(3).enumerate() {
            let inked = glyph[at / LETTER] >> (at % LETTER) & 1 == 1;
            pixel.copy_from_slice(if inked { &INK } else { &PAPER });
        }
        sheet.put(&letter, x + n * LETTER, y);
    }
}
