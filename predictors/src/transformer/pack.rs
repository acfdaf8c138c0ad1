//! Reading a model pack; FORMAT.md, 10.1 and 10.2.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use memmap2::MmapMut;
use serde_json::{Map, Value};

use crate::segment::PredictorError;
use crate::zeros::zeros;

pub const MAGIC: &[u8; 8] = b"\x8bLZPACK\n";
const VERSION: u32 = 1;
/// Inputs that share a scale.
pub const GROUP: usize = 64;
/// Inputs of a row that share a step and a base, where weights are of four bits.
pub const RUN: usize = 32;
/// Bytes of a panel's weights of four bits of so many inputs, with their steps and bases behind them.
pub const RUN_BYTES: usize = PANEL * (RUN / 2 + 4);
/// Rows that lie interleaved.
pub const PANEL: usize = 64;
/// Positions that a window may have: sums of attention fit 32 bits up to here.
pub const LONGEST: usize = 1 << 15;

/// What the header says of a tensor, and where it lies.
type Entry<'a> = (&'a Map<String, Value>, Range<usize>);
/// The bytes of a pack, wherever they are kept.
pub type Bytes = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// The model's shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    pub layers: usize,
    pub hidden: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_size: usize,
    pub ffn: usize,
    pub vocab: usize,
    /// Positions the model was made for.
    pub context: usize,
    /// Added to mean squares, in units of 2^-48.
    pub norm_eps: u64,
}

impl Config {
    /// Values of all heads' queries, and of their keys.
    #[must_use]
    pub fn widths(&self) -> (usize, usize) {
        (self.heads * self.head_size, self.kv_heads * self.head_size)
    }
}

/// Where the weights of a matrix lie in the pack.
#[derive(Debug, Clone)]
enum Stored {
    /// Bytes, and their scales.
    Bytes(Range<usize>, Range<usize>),
    /// Four bits each, with steps and bases among them.
    Nibbles(Range<usize>),
}

/// A matrix: where it lies in the pack.
#[derive(Debug, Clone)]
pub struct Matrix {
    pub rows: usize,
    pub inputs: usize,
    /// A weight is `byte * scale * 2^-exponent`, or `(nibble * step + base) * 2^-exponent`.
    pub exponent: i32,
    stored: Stored,
    /// What kernels that offset activations take off each row's sum, rows padded; else empty.
    pub excess: Vec<i64>,
}

impl Matrix {
    /// Panels, of which the last may have rows that are padding.
    pub fn panels(&self) -> usize {
        self.rows.div_ceil(PANEL)
    }
}

/// What a kernel multiplies: some of a matrix's rows, interleaved.
#[derive(Debug, Clone, Copy)]
pub struct Panel<'a> {
    /// `[quad of inputs][row][4]`, from -127 to 127.
    pub weights: &'a [u8],
    /// `[group of inputs][row]`, 16 bits each.
    pub scales: &'a [u8],
    /// 2^15 times the sum of each row's weights times their scales, for kernels that need it.
    pub excess: &'a [i64],
}

/// What a kernel multiplies where weights are of four bits: some of a matrix's rows, interleaved.
#[derive(Debug, Clone, Copy)]
pub struct Nibbles<'a> {
    /// Runs of [`RUN_BYTES`]: `[two quads of inputs][row][4]`, of which the first quad has the low halves of
    /// bytes, and then `[row]` a step and a base of 16 bits each. `15 * step + base` fits 16 bits too.
    pub runs: &'a [u8],
    /// As [`Panel::excess`].
    pub excess: &'a [i64],
}

impl Nibbles<'_> {
    /// Inputs of each row.
    pub fn inputs(&self) -> usize {
        self.runs.len() / RUN_BYTES * RUN
    }
}

/// Rows of a matrix of either kind.
#[derive(Debug, Clone, Copy)]
pub enum Rows<'a> {
    Bytes(Panel<'a>),
    Nibbles(Nibbles<'a>),
}

/// Gains of a norm: `value * 2^-exponent`.
#[derive(Debug, Clone)]
pub struct Gains {
    pub values: Vec<i32>,
    pub exponent: i32,
}

/// A pack whose header and sizes were checked.
pub struct Pack {
    bytes: Bytes,
    config: Config,
    header: Map<String, Value>,
}

impl fmt::Debug for Pack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pack")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

const DAMAGED: PredictorError = PredictorError::Corrupt("the model pack is damaged");

fn number(map: &Map<String, Value>, key: &str, most: u64) -> Result<usize, PredictorError> {
    map.get(key)
        .and_then(Value::as_u64)
        .filter(|&n| n <= most)
        .and_then(|n| usize::try_from(n).ok())
        .ok_or(DAMAGED)
}

/// The bytes of a pack, from the beginning of a page on: where they do not begin with a line of the cache,
/// each of the kernels' reads touches two.
#[derive(Debug)]
pub struct Aligned {
    map: MmapMut,
    length: usize,
}

impl Aligned {
    /// A copy of a pack.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    pub fn copy(pack: &[u8]) -> Result<Self, PredictorError> {
        let mut map = zeros(pack.len())?;
        map[..pack.len()].copy_from_slice(pack);
        Ok(Self {
            map,
            length: pack.len(),
        })
    }
}

impl AsRef<[u8]> for Aligned {
    fn as_ref(&self) -> &[u8] {
        &self.map[..self.length]
    }
}

impl Pack {
    /// Checks the header, and that every tensor lies inside. Reads no weights.
    ///
    /// # Errors
    /// [`PredictorError::Corrupt`] for what is no whole pack, [`PredictorError::Unsupported`] for a
    /// version or architecture that this build does not have.
    pub fn parse(bytes: Bytes) -> Result<Self, PredictorError> {
        let data = (*bytes).as_ref();
        if data.len() < 20 || &data[..8] != MAGIC {
            return Err(PredictorError::Corrupt("not a model pack"));
        }
        let field = |at: usize| u64::from_le_bytes(data[at..at + 8].try_into().unwrap());
        if field(8) as u32 != VERSION {
            return Err(PredictorError::Unsupported(
                "this version of model packs is not known",
            ));
        }
        let length = usize::try_from(field(12)).map_err(|_| DAMAGED)?;
        let text = data[20..].get(..length).ok_or(DAMAGED)?;
        let Ok(Value::Object(header)) = serde_json::from_slice(text) else {
            return Err(DAMAGED);
        };
        if header.get("architecture").and_then(Value::as_str) != Some("llama") {
            return Err(PredictorError::Unsupported(
                "this architecture of models is not known",
            ));
        }
        let shape = header
            .get("config")
            .and_then(Value::as_object)
            .ok_or(DAMAGED)?;
        let config = Config {
            layers: number(shape, "layers", 1 << 10)?,
            hidden: number(shape, "hidden", 65_535)?,
            heads: number(shape, "heads", 1 << 12)?,
            kv_heads: number(shape, "kv_heads", 1 << 12)?,
            head_size: number(shape, "head_size", 128)?,
            ffn: number(shape, "ffn", 65_535)?,
            vocab: number(shape, "vocab", 1 << 24)?,
            context: number(shape, "context", 1 << 30)?,
            norm_eps: number(shape, "norm_eps", 1 << 48)? as u64,
        };
        let (width, _) = config.widths();
        let sizes = [config.hidden, config.ffn, width];
        if sizes
            .iter()
            .any(|&n| n == 0 || n % GROUP != 0 || n > 65_535)
            || config.layers == 0
            || !config.head_size.is_multiple_of(16)
            || config.kv_heads == 0
            || !config.heads.is_multiple_of(config.kv_heads)
            || config.vocab == 0
            || config.context < 2
        {
            return Err(DAMAGED);
        }
        Ok(Self {
            config,
            header,
            bytes: Arc::clone(&bytes),
        })
    }

    /// The model's shape.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The parsed header.
    #[must_use]
    pub fn header(&self) -> &Map<String, Value> {
        &self.header
    }

    fn data(&self) -> &[u8] {
        (*self.bytes).as_ref()
    }

    /// The kind of a matrix, of those that are known.
    fn kind(&self, name: &str) -> &'static str {
        let tensors = self.header.get("tensors");
        let kind = tensors.and_then(|t| t.get(name)?.get("kind")?.as_str());
        if kind == Some("q4") { "q4" } else { "q8" }
    }

    /// A tensor's entry and where it lies, if there is one of that name.
    fn entry(&self, name: &str, kind: &str) -> Result<Option<Entry<'_>>, PredictorError> {
        let tensors = self
            .header
            .get("tensors")
            .and_then(Value::as_object)
            .ok_or(DAMAGED)?;
        let Some(entry) = tensors.get(name) else {
            return Ok(None);
        };
        let entry = entry.as_object().ok_or(DAMAGED)?;
        if entry.get("kind").and_then(Value::as_str) != Some(kind) {
            return Err(DAMAGED);
        }
        let most = self.data().len() as u64;
        let (from, length) = (
            number(entry, "offset", most)?,
            number(entry, "length", most)?,
        );
        if from + length > self.data().len() {
            return Err(DAMAGED);
        }
        Ok(Some((entry, from..from + length)))
    }

    /// The bytes of a tensor of kind `u8`, `u32` or `u64`, as they lie in the pack.
    ///
    /// # Errors
    /// [`PredictorError::Corrupt`] where it is missing or does not lie inside.
    pub fn plain(&self, name: &str, kind: &str) -> Result<&[u8], PredictorError> {
        let (_, range) = self.entry(name, kind)?.ok_or(DAMAGED)?;
        Ok(&self.data()[range])
    }

    fn exponent(entry: &Map<String, Value>) -> Result<i32, PredictorError> {
        let value = entry.get("exponent").and_then(Value::as_i64);
        value
            .filter(|e| e.abs() < 1 << 12)
            .map(|e| e as i32)
            .ok_or(DAMAGED)
    }

    pub(super) fn matrix(
        &self,
        name: &str,
        rows: usize,
        inputs: usize,
    ) -> Result<Option<Matrix>, PredictorError> {
        let count = rows.next_multiple_of(PANEL) * inputs;
        let kind = self.kind(name);
        let Some((entry, range)) = self.entry(name, kind)? else {
            return Ok(None);
        };
        let stored = if kind == "q4" {
            if range.len() != count / (PANEL * RUN) * RUN_BYTES {
                return Err(DAMAGED);
            }
            let runs = &self.data()[range.clone()];
            if !runs.chunks_exact(RUN_BYTES).all(fits) {
                return Err(DAMAGED);
            }
            Stored::Nibbles(range)
        } else {
            if range.len() != count + count / GROUP * 2 {
                return Err(DAMAGED);
            }
            let middle = range.start + count;
            Stored::Bytes(range.start..middle, middle..range.end)
        };
        Ok(Some(Matrix {
            rows,
            inputs,
            exponent: Self::exponent(entry)?,
            stored,
            excess: Vec::new(),
        }))
    }

    fn words(&self, range: Range<usize>, count: usize) -> Result<Vec<i32>, PredictorError> {
        if range.len() != 4 * count {
            return Err(DAMAGED);
        }
        let words = self.data()[range].chunks_exact(4);
        Ok(words
            .map(|w| i32::from_le_bytes(w.try_into().unwrap()))
            .collect())
    }

    pub(super) fn gains(&self, name: &str, count: usize) -> Result<Gains, PredictorError> {
        let (entry, range) = self.entry(name, "gain")?.ok_or(DAMAGED)?;
        let values = self.words(range, count)?;
        if values.iter().any(|v| v.unsigned_abs() > 1 << 23) {
            return Err(DAMAGED);
        }
        Ok(Gains {
            values,
            exponent: Self::exponent(entry)?,
        })
    }

    /// Biases in units of 2^-16; zeros where there are none.
    pub(super) fn biases(&self, name: &str, count: usize) -> Result<Vec<i32>, PredictorError> {
        let Some((_, range)) = self.entry(name, "bias")? else {
            return Ok(Vec::new());
        };
        let values = self.words(range, count)?;
        if values.iter().any(|v| v.unsigned_abs() > 1 << 30) {
            return Err(DAMAGED);
        }
        Ok(values)
    }

    /// One panel.
    #[inline]
    pub(super) fn panel<'a>(&'a self, matrix: &'a Matrix, panel: usize) -> Rows<'a> {
        let data = self.data();
        let excess = panel * PANEL..(panel + 1) * PANEL;
        let excess = matrix.excess.get(excess).unwrap_or_default();
        match &matrix.stored {
            Stored::Bytes(weights, scales) => {
                let size = matrix.inputs * PANEL;
                let scaled = matrix.inputs / GROUP * PANEL * size_of::<u16>();
                Rows::Bytes(Panel {
                    weights: &data[weights.clone()][panel * size..][..size],
                    scales: &data[scales.clone()][panel * scaled..][..scaled],
                    excess,
                })
            }
            Stored::Nibbles(runs) => {
                let size = matrix.inputs / RUN * RUN_BYTES;
                Rows::Nibbles(Nibbles {
                    runs: &data[runs.clone()][panel * size..][..size],
                    excess,
                })
            }
        }
    }
}

/// Step and base of a row of a run.
pub fn line(run: &[u8], row: usize) -> (i32, i32) {
    let at = PANEL * RUN / 2 + 4 * row;
    let word = |at: usize| i32::from(i16::from_le_bytes([run[at], run[at + 1]]));
    (word(at), word(at + 2))
}

/// Whether all weights of a run fit 16 bits, as kernels expect.
fn fits(run: &[u8]) -> bool {
    (0..PANEL).all(|row| {
        let (step, base) = line(run, row);
        i16::try_from(15 * step + base).is_ok()
    })
}
