//! Detection of grey images: by the header of an idx or npy file, or by pixels that are like those
//! to the left and above.

use super::detect::{Class, Content};
use crate::array_header::ArrayHeader;

/// Shortest row and longest one to be found without a header.
const ROWS: std::ops::RangeInclusive<usize> = 8..=1024;
/// Most rows of an image to be found without a header.
const MOST_ROWS: usize = 256;
/// Pixels that are compared.
const PIXELS: usize = 1 << 13;

/// What a header at the segment's start says, where the pixels are like those of images.
#[must_use]
pub fn stated(data: &[u8]) -> Option<Content> {
    let content = images(&ArrayHeader::of_bytes(data)?, data.len())?;
    let pixels = &data[content.offset as usize..];
    let smooth = Sampled::new(pixels, usize::from(content.stride)).are_smooth();
    smooth.then_some(content)
}

/// Images of the array that a header tells of, in a segment of which `length` bytes are at hand.
fn images(header: &ArrayHeader, length: usize) -> Option<Content> {
    let offset = header.offset;
    let [images, height, width] = match *header.sides {
        [height, width] => [1, height, width],
        [images, height, width] => [images, height, width],
        _ => return None,
    };
    let plane = height.checked_mul(width)?;
    let end = images.checked_mul(plane)?.checked_add(offset)?;
    let stride = u16::try_from(width).ok().filter(|&width| width > 1)?;
    if end < length || offset > length || plane == 0 {
        return None;
    }
    Some(Content {
        class: Class::Grey,
        stride,
        // A single image has nothing before it.
        plane: if images > 1 {
            plane.try_into().ok()?
        } else {
            0
        },
        offset: offset.try_into().ok()?,
    })
}

/// Pixels spread over data, each with the data before it.
struct Sampled<'a> {
    data: &'a [u8],
    places: Vec<usize>,
    stride: usize,
}

impl<'a> Sampled<'a> {
    /// Such as differ from one of the pixels around; all have `stride` and one pixels before them.
    fn new(data: &'a [u8], stride: usize) -> Self {
        let places = (stride + 4..data.len()).filter(|&i| {
            let around = [1, 2, stride];
            around.iter().any(|&distance| data[i - distance] != data[i])
        });
        let count = places.clone().count();
        let places = places.step_by((count / PIXELS).max(1)).collect();
        Self {
            data,
            places,
            stride,
        }
    }

    /// Sum of differences from the pixels at a distance.
    fn differences(&self, distance: usize) -> u64 {
        let differences = self.places.iter().map(|&i| {
            let before = i.checked_sub(distance).map_or(0, |at| self.data[at]);
            u64::from(self.data[i].abs_diff(before))
        });
        differences.sum()
    }

    /// Sum of differences from pixels that have nothing to do with them.
    fn unrelated(&self) -> u64 {
        let half = self.places.len() / 2;
        let others = self.places[half..].iter().chain(&self.places[..half]);
        let pairs = self.places.iter().zip(others);
        pairs
            .map(|(&i, &k)| u64::from(self.data[i].abs_diff(self.data[k])))
            .sum()
    }

    /// Whether pixels are like those to the left, the nearer the more, unlike numbers of several bytes
    /// and colours.
    fn are_smooth_in_rows(&self) -> bool {
        let [one, two, three] = [1, 2, 3].map(|distance| self.differences(distance));
        self.places.len() >= 64 && one * 3 < self.unrelated() * 2 && one < two && one < three
    }

    /// As [`Sampled::are_smooth_in_rows`], and like those above.
    fn are_smooth(&self) -> bool {
        self.are_smooth_in_rows() && self.differences(self.stride) * 3 < self.unrelated() * 2
    }
}

/// Rows and, where images are alike, images, that no header tells of.
#[must_use]
pub fn found(data: &[u8]) -> Option<Content> {
    let longest = (*ROWS.end()).min(data.len() / 8);
    let sampled = Sampled::new(data, longest);
    if longest < *ROWS.start() || !sampled.are_smooth_in_rows() {
        return None;
    }
    let stride = (*ROWS.start()..=longest).min_by_key(|&d| sampled.differences(d))?;
    if !Sampled::new(data, stride).are_smooth() {
        return None;
    }
    Some(Content {
        class: Class::Grey,
        stride: stride.try_into().ok()?,
        plane: (find_height(data, stride) * stride) as u32,
        offset: 0,
    })
}

/// Rows after which the sums of rows repeat best, as in images of one size that have margins; 0 if
/// no number stands out.
fn find_height(data: &[u8], stride: usize) -> usize {
    let rows = data.chunks_exact(stride);
    let sums: Vec<u32> = rows
        .map(|row| row.iter().map(|&pixel| u32::from(pixel)).sum())
        .collect();
    let most = MOST_ROWS.min(sums.len() / 4);
    let apart: Vec<u64> = (0..=most)
        .map(|rows| {
            let pairs = sums[most..].iter().zip(&sums[most - rows..]);
            pairs.map(|(&a, &b)| u64::from(a.abs_diff(b))).sum()
        })
        .collect();
    // A slowly changing picture is like itself a few rows on, but more so after fewer rows.
    let best = |rows: &usize| {
        apart[*rows] < apart[rows - 1] && apart.get(rows + 1).is_some_and(|&a| apart[*rows] < a)
    };
    let heights = || (*ROWS.start()..most).filter(best);
    let least = heights().map(|rows| apart[rows]).min().unwrap_or(0);
    let mean = apart.iter().sum::<u64>() / apart.len() as u64;
    let first = heights().find(|&rows| apart[rows] * 20 <= least * 21);
    first.filter(|_| least * 100 < mean * 96).unwrap_or(0)
}
