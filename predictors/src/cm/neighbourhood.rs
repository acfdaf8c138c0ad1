//! What is known of a pixel of a grey image before it comes: its neighbours, predictions of it, how
//! well they did around it.
//!
//! Median edge detection as in LOCO-I (JPEG-LS), gradient adjustment and error feedback as in CALIC,
//! and a mean of predictors weighted by their errors nearby, as in JPEG XL and TMW's descendants.

use Term::*;

/// A number that describes the neighbourhood; FORMAT.md, section 8.8a.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Term {
    /// Pixels to the left (west), above (north), and so on.
    W,
    N,
    Nw,
    Ne,
    Ww,
    Nn,
    Nne,
    Nee,
    /// The same pixel of the image before.
    Before,
    /// Column and row.
    X,
    Y,
    /// The median of W, N and W + N - NW.
    Median,
    /// Adjusted by gradients.
    Adjusted,
    /// Mean of predictors weighted by their errors nearby.
    Blended,
    /// `Blended` less its mean error in like neighbourhoods.
    Corrected,
    /// The column above continued.
    Falling,
    /// Class of gradients and errors nearby.
    Energy,
    /// Class of the errors nearby.
    Errors,
    /// Which neighbours are above the prediction.
    Texture,
    /// Pixels of at least half brightness in four rows.
    Bright,
    /// Dark, medium and bright pixels in three rows.
    Shades,
    /// Sum of the neighbours.
    Sum,
}

pub const TERMS: usize = Sum as usize + 1;

/// Predictors that are blended.
const BLENDED: usize = 8;
/// Largest sum of errors nearby.
const WORST: usize = 5 * 255;
/// Lower bounds of the classes of energy but the first.
const CLASSES: [u32; 11] = [2, 6, 13, 25, 41, 65, 97, 141, 201, 301, 451];
/// Neighbourhoods that learn a mean error each: classes of energy and textures.
const LIKE: usize = 16 * 256;

#[derive(Clone)]
pub struct Neighbourhood {
    stride: usize,
    plane: usize,
    offset: usize,
    terms: [u64; TERMS],
    /// Place of the next pixel in its image.
    inside: usize,
    predictors: [i32; BLENDED],
    /// Blended and corrected prediction, in quarters.
    blended: i32,
    corrected: i32,
    /// By place in the segment modulo their number: errors of the predictors and of the corrected prediction.
    errors: Vec<[u8; BLENDED]>,
    own_errors: Vec<u8>,
    /// Sum and number of errors of `blended`.
    means: Vec<[i32; 2]>,
    like: usize,
    /// Weights by error.
    weights: Vec<u32>,
    seen: usize,
}

fn class_of(energy: u32) -> u64 {
    CLASSES.iter().filter(|&&bound| energy >= bound).count() as u64
}

impl Neighbourhood {
    /// For rows of `stride` pixels, at least 2, images of `plane` (0: not known) that start at `offset`.
    pub fn new(stride: usize, plane: usize, offset: usize) -> Self {
        Self {
            stride,
            plane,
            offset,
            terms: [0; TERMS],
            inside: 0,
            predictors: [0; BLENDED],
            blended: 0,
            corrected: 0,
            errors: vec![[0; BLENDED]; stride + 2],
            own_errors: vec![0; stride + 2],
            means: vec![[0; 2]; LIKE],
            like: 0,
            weights: (0..=WORST as u32)
                .map(|e| (1 << 20) / (e * e / 4 + 1))
                .collect(),
            seen: 0,
        }
    }

    #[inline(always)]
    pub fn get(&self, term: Term) -> u64 {
        self.terms[term as usize]
    }

    /// Place of the next pixel in its image, row by row.
    #[inline(always)]
    pub fn inside(&self) -> usize {
        self.inside
    }

    /// Turns to the pixel that follows `bytes`.
    pub fn advance(&mut self, bytes: &[u8]) {
        if bytes.len() > self.seen {
            self.learn(i32::from(bytes[self.seen]));
        }
        self.seen = bytes.len();
        self.look(bytes);
    }

    /// Learns the last pixel.
    fn learn(&mut self, pixel: i32) {
        let place = self.seen % self.errors.len();
        self.errors[place] = self.predictors.map(|p| p.abs_diff(pixel) as u8);
        let error = (4 * pixel).abs_diff(self.corrected);
        self.own_errors[place] = ((error + 1) >> 2) as u8;
        let [sum, count] = &mut self.means[self.like];
        *sum += 4 * pixel - self.blended;
        *count += 1;
        if *count == 64 {
            *sum >>= 1;
            *count = 32;
        }
    }

    fn look(&mut self, bytes: &[u8]) {
        let (n, s) = (bytes.len(), self.stride);
        let back = |distance: usize| match n.checked_sub(distance) {
            Some(place) if distance > 0 => i32::from(bytes[place]),
            _ => 0,
        };
        let [w, north, nw, ne] = [1, s, s + 1, s - 1].map(back);
        let [ww, nn, nne, nee] = [2, 2 * s, 2 * s - 1, s - 2].map(back);
        self.inside = match n.checked_sub(self.offset) {
            Some(place) if self.plane > 0 => place % self.plane,
            Some(place) => place % s,
            None => 0,
        };
        let across = (w - ww).abs() + (north - nw).abs() + (north - ne).abs();
        let down = (w - nw).abs() + (north - nn).abs() + (ne - nne).abs();
        let median = (w + north - nw).clamp(w.min(north), w.max(north));
        let adjusted = adjusted([w, north, nw, ne], down - across);
        let level = |v: i32| v.clamp(0, 255);
        let falling = level(2 * north - nn);
        self.predictors = [
            median,
            adjusted,
            level(north + ne - nne),
            level(w + ne - north),
            (w + north + 1) >> 1,
            w,
            north,
            level(w + ((ne - nw) >> 1)),
        ];
        let errors = self.blend();
        let prediction = (self.blended + 2) >> 2;
        let energy = class_of(((across + down) as u32 >> 1) + 2 * errors);
        let others = [north, w, nw, ne, nn, ww, falling, level(2 * w - ww)];
        let texture = others
            .iter()
            .rev()
            .fold(0, |bits, &v| bits << 1 | u64::from(v > prediction));
        self.like = (energy << 8 | texture) as usize;
        let [sum, count] = self.means[self.like];
        self.corrected = (self.blended + sum.div_euclid(count + 2)).clamp(0, 1020);
        let sum = w + north + nw + ne + ww + nn + nne + nee;
        let mut set = |term: Term, value: i32| self.terms[term as usize] = value as u64;
        set(W, w);
        set(N, north);
        set(Nw, nw);
        set(Ne, ne);
        set(Ww, ww);
        set(Nn, nn);
        set(Nne, nne);
        set(Nee, nee);
        set(Before, back(self.plane));
        set(Median, median);
        set(Adjusted, adjusted);
        set(Blended, prediction);
        set(Corrected, (self.corrected + 2) >> 2);
        set(Falling, falling);
        set(Sum, sum);
        self.terms[X as usize] = (self.inside % s) as u64;
        self.terms[Y as usize] = (self.inside / s) as u64;
        self.terms[Energy as usize] = energy;
        self.terms[Errors as usize] = class_of(errors);
        self.terms[Texture as usize] = texture;
        let rows = [(0, 4, -1), (s, 3, 3), (2 * s, 3, 3), (3 * s, 2, 2)];
        self.terms[Bright as usize] = gather(&rows, |distance, bits| {
            bits << 1 | u64::from(back(distance) >= 128)
        });
        let rows = [(0, 3, -1), (s, 2, 2), (2 * s, 1, 1)];
        self.terms[Shades as usize] = gather(&rows, |distance, digits| {
            let pixel = back(distance);
            digits * 3 + u64::from(pixel >= 32) + u64::from(pixel >= 208)
        });
    }

    /// Weighs the predictors by their errors nearby; returns the errors of the corrected prediction there.
    fn blend(&mut self) -> u32 {
        let (n, s, ring) = (self.seen, self.stride, self.errors.len());
        // No slot that a distance falls on before the segment's start was written to.
        let near = [1, s, s - 1, s + 1, 1].map(|distance| (n + ring - distance) % ring);
        let (mut sum, mut total) = (0, 0);
        for (k, &predictor) in self.predictors.iter().enumerate() {
            let error = near.map(|at| usize::from(self.errors[at][k]));
            let weight = u64::from(self.weights[error.iter().sum::<usize>()]);
            sum += weight * predictor as u64;
            total += weight;
        }
        self.blended = ((4 * sum + total / 2) / total) as i32;
        near.map(|at| u32::from(self.own_errors[at])).iter().sum()
    }
}

/// CALIC's prediction; `steeper` says how much more changes from row to row than along rows.
fn adjusted([w, n, nw, ne]: [i32; 4], steeper: i32) -> i32 {
    let mean = ((w + n) >> 1) + ((ne - nw) >> 2);
    let value = match steeper {
        81.. => w,
        33..=80 => (mean + w) >> 1,
        9..=32 => (3 * mean + w) >> 2,
        -8..=8 => mean,
        -32..=-9 => (3 * mean + n) >> 2,
        -80..=-33 => (mean + n) >> 1,
        _ => n,
    };
    value.clamp(0, 255)
}

/// Folds pixels row by row, each row from `left` pixels before the one at its distance to `right` after.
fn gather(rows: &[(usize, i32, i32)], add: impl Fn(usize, u64) -> u64) -> u64 {
    rows.iter().fold(0, |value, &(distance, left, right)| {
        (-left..=right).fold(value, |value, forward| {
            let distance = distance as i64 - i64::from(forward);
            add(usize::try_from(distance).unwrap_or(0), value)
        })
    })
}
