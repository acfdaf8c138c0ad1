//! A pack's layers, ready to evaluate.

use std::sync::Arc;

use super::matrix::excess;
use super::pack::{Config, Gains, LONGEST, Matrix, Pack};
use super::rotary;
use super::simd::{Kernels, Level};
use super::team::Team;
use crate::segment::PredictorError;

/// A matrix and its biases, which may be none.
pub struct Projection {
    pub matrix: Matrix,
    pub biases: Vec<i32>,
}

pub struct Layer {
    pub attention_norm: Gains,
    pub q: Projection,
    pub k: Projection,
    pub v: Projection,
    pub o: Matrix,
    pub ffn_norm: Gains,
    pub gate: Matrix,
    pub up: Matrix,
    pub down: Matrix,
}

impl Layer {
    fn matrices(&mut self) -> [&mut Matrix; 7] {
        [
            &mut self.q.matrix,
            &mut self.k.matrix,
            &mut self.v.matrix,
            &mut self.o,
            &mut self.gate,
            &mut self.up,
            &mut self.down,
        ]
    }
}

/// A model that can be evaluated; shared by sessions.
pub struct Model {
    pub(super) pack: Arc<Pack>,
    pub(super) kernels: Kernels,
    pub(super) team: Team,
    pub(super) embedding: Matrix,
    pub(super) layers: Vec<Layer>,
    pub(super) norm: Gains,
    pub(super) head: Matrix,
    /// Turns by which a position rotates each pair, in units of 2^-64.
    pub(super) frequencies: Vec<u64>,
}

impl Model {
    /// Finds the pack's tensors. `threads` is how many evaluate together; 0 counts as 1.
    ///
    /// # Errors
    /// [`PredictorError::Corrupt`] where a tensor is missing or has another size.
    pub fn new(pack: Arc<Pack>, level: Level, threads: usize) -> Result<Self, PredictorError> {
        let config = *pack.config();
        let (width, narrow) = config.widths();
        let missing = PredictorError::Corrupt("the model pack lacks a tensor");
        let matrix = |name: &str, rows: usize, inputs: usize| {
            pack.matrix(name, rows, inputs)?.ok_or(missing)
        };
        let embedding = matrix("embed_tokens.weight", config.vocab, config.hidden)?;
        let mut layers = Vec::new();
        for layer in 0..config.layers {
            let name = |part: &str| format!("layers.{layer}.{part}");
            let projection = |part: &str, rows: usize| {
                Ok::<_, PredictorError>(Projection {
                    matrix: matrix(
                        &name(&format!("self_attn.{part}_proj.weight")),
                        rows,
                        config.hidden,
                    )?,
                    biases: pack.biases(&name(&format!("self_attn.{part}_proj.bias")), rows)?,
                })
            };
            layers.push(Layer {
                attention_norm: pack.gains(&name("input_layernorm.weight"), config.hidden)?,
                q: projection("q", width)?,
                k: projection("k", narrow)?,
                v: projection("v", narrow)?,
                o: matrix(&name("self_attn.o_proj.weight"), config.hidden, width)?,
                ffn_norm: pack.gains(&name("post_attention_layernorm.weight"), config.hidden)?,
                gate: matrix(&name("mlp.gate_proj.weight"), config.ffn, config.hidden)?,
                up: matrix(&name("mlp.up_proj.weight"), config.ffn, config.hidden)?,
                down: matrix(&name("mlp.down_proj.weight"), config.hidden, config.ffn)?,
            });
        }
        let head = pack.matrix("lm_head.weight", config.vocab, config.hidden)?;
        let mut head = head.unwrap_or_else(|| embedding.clone());
        let kernels = Kernels::of(level);
        if kernels.offset {
            let multiplied = layers.iter_mut().flat_map(Layer::matrices);
            for matrix in multiplied.chain([&mut head]) {
                matrix.excess = excess(&pack, matrix, &kernels);
            }
        }
        Ok(Self {
            norm: pack.gains("norm.weight", config.hidden)?,
            head,
            frequencies: Self::frequencies(&pack, &config)?,
            kernels,
            team: Team::new(threads),
            embedding,
            layers,
            pack,
        })
    }

    /// Appends how a position rotates the pairs of a head.
    pub(super) fn turns_at(&self, position: u64, turns: &mut Vec<[i32; 2]>) {
        turns.extend(
            self.frequencies
                .iter()
                .map(|f| rotary::turned(f.wrapping_mul(position))),
        );
    }

    fn frequencies(pack: &Pack, config: &Config) -> Result<Vec<u64>, PredictorError> {
        let bytes = pack.plain("rotary", "u64")?;
        if bytes.len() != config.head_size / 2 * 8 {
            return Err(PredictorError::Corrupt("the model pack is damaged"));
        }
        Ok(bytes
            .chunks_exact(8)
            .map(|word| u64::from_le_bytes(word.try_into().unwrap()))
            .collect())
    }

    /// The model's shape.
    #[must_use]
    pub fn config(&self) -> &Config {
        self.pack.config()
    }

    /// How many threads evaluate together.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.team.size()
    }

    /// The longest window that a session may have.
    #[must_use]
    pub fn context(&self) -> usize {
        self.config().context.min(LONGEST)
    }
}
