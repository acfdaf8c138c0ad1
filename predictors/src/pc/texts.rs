//! Texts beside the records: a table's head, and columns that nothing better suits.

use llmzip_coders::binary::Decoder as BitDecoder;

use crate::bits::Bits;
use crate::cm::detect::{Class, Content};
use crate::cm::model::Model;
use crate::cm::plan::Plan;
use crate::segment::PredictorError;
use crate::simd::{self, Job, Kernels, Level};
use crate::varint;

/// Log2 of the bytes of its hash table: texts are the smaller part of a table.
const MOST_TABLE: u32 = 24;
/// Its highest level.
const MOST_LEVEL: u8 = 6;

/// `cm`'s model of text, for all texts of a segment one after the other.
pub struct Texts {
    model: Box<Model<3, 1>>,
    simd: Level,
}

/// Its plan at a level.
#[must_use]
pub fn plan(level: u8) -> Plan {
    let plan = Plan::new(level.min(MOST_LEVEL), Content::new(Class::Text, 0));
    Plan {
        log_table: plan.log_table.min(MOST_TABLE),
        ..plan
    }
}

impl Texts {
    /// For a segment of `raw_len` bytes.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    pub fn new(level: u8, raw_len: u64) -> Result<Self, PredictorError> {
        Ok(Self {
            model: Box::new(Model::new(plan(level), raw_len, &[])?),
            simd: simd::active().map_err(PredictorError::Setup)?,
        })
    }

    /// Codes a text behind its length.
    pub fn encode_text(&mut self, text: &[u8], bits: &mut dyn Bits) {
        let mut length = Vec::new();
        varint::write(text.len() as u64, &mut length);
        self.encode(&length, bits);
        self.encode(text, bits);
    }

    /// A text of up to `most` bytes, behind its length.
    ///
    /// # Errors
    /// [`PredictorError::Corrupt`] for a longer one.
    pub fn decode_text(
        &mut self,
        most: usize,
        coder: &mut BitDecoder,
    ) -> Result<Vec<u8>, PredictorError> {
        const TOO_LONG: PredictorError = PredictorError::Corrupt("the length of a text is damaged");
        let mut length = Vec::new();
        while length.len() < varint::MAX {
            length.push(self.decode(coder));
            if length.last().is_some_and(|&byte| byte < 0x80) {
                break;
            }
        }
        let length = varint::take(&mut &length[..]).and_then(|length| usize::try_from(length).ok());
        let length = length.filter(|&length| length <= most).ok_or(TOO_LONG)?;
        // It grows with what is decoded: coded bytes that end leave zeros, and cost no memory ahead.
        Ok((0..length).map(|_| self.decode(coder)).collect())
    }

    fn encode(&mut self, text: &[u8], bits: &mut dyn Bits) {
        for &byte in text {
            self.byte(byte, bits);
        }
    }

    fn decode(&mut self, coder: &mut BitDecoder) -> u8 {
        self.byte(0, coder)
    }

    fn byte(&mut self, byte: u8, bits: &mut dyn Bits) -> u8 {
        let model = &mut *self.model;
        simd::run(self.simd, Byte { model, byte, bits })
    }
}

struct Byte<'a> {
    model: &'a mut Model<3, 1>,
    byte: u8,
    bits: &'a mut dyn Bits,
}

impl Job for Byte<'_> {
    type Output = u8;

    #[inline(always)]
    fn run<K: Kernels>(self) -> u8 {
        let mut byte = 0;
        for position in (0..8).rev() {
            let p = self.model.predict::<K>();
            let bit = self.bits.code(self.byte >> position & 1 == 1, p);
            self.model.update::<K>(bit);
            byte = byte << 1 | u8::from(bit);
        }
        byte
    }
}
