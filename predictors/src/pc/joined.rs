//! Stacks of grey images: what a trained circuit says of each bit, in the mixer of `cm` among the contexts of
//! pixels.

use std::sync::Arc;

use crc32fast::Hasher;
use llmzip_coders::binary::{Decoder as BitDecoder, Encoder as BitEncoder};

use super::asked::Asked;
use super::given::{NO_CIRCUIT, hash_of_zeros};
use super::pack::{CircuitPack, Kind};
use super::stack::{self, Stack};
use crate::array_header::ArrayHeader;
use crate::bits::Bits;
use crate::circuit::any::{AnyWalk, Ask};
use crate::circuit::tree::MOST;
use crate::cm::any_model::{AnyGrey, with_model};
use crate::cm::codec;
use crate::cm::detect::{Class, Content, detect};
use crate::cm::mixer::{External, ONE};
use crate::cm::model::Model;
use crate::cm::plan::{CIRCUIT_CONTEXTS, LEVELS, Plan};
use crate::log::stretch;
use crate::segment::{CANARY_BYTES, PredictorError, SegmentDecoder, SegmentEncoder};
use crate::simd::{self, Job, Kernels, Level};

/// The lowest level at which `cm` has contexts for grey pixels.
const LEAST_LEVEL: u8 = 6;
/// The circuit's input to the mixer.
const EXTERNAL: External = External {
    weight: ONE / 5,
    rate_shift: 0,
    selector: CIRCUIT_CONTEXTS,
};
/// Bytes of memory for each variable, at most: what it heard and told, turned steps, paths.
const VARIABLE: u64 = 4 << 10;

/// How `cm` sees a stack, whose images are a circuit's records.
#[derive(Clone, Copy)]
pub struct Images {
    level: u8,
    content: Content,
}

impl Images {
    /// Takes up settings of `cm`.
    ///
    /// # Errors
    /// [`PredictorError::Unsupported`] for those of other content than images of one size.
    pub fn parse(settings: &[u8]) -> Result<Self, PredictorError> {
        let (level, content) = codec::parse(settings)?;
        let images = content.class == Class::Grey && (1..=MOST).contains(&(content.plane as usize));
        if !images || level < LEAST_LEVEL {
            return Err(PredictorError::Unsupported("images of circuit"));
        }
        Ok(Self { level, content })
    }

    fn plan(self) -> Plan {
        Plan::new(self.level, self.content)
    }

    /// Bytes of memory that a segment of `raw_len` bytes takes.
    #[must_use]
    pub fn memory(self, raw_len: u64) -> u64 {
        self.plan().memory(raw_len) + VARIABLE * u64::from(self.content.plane) + (1 << 20)
    }
}

/// Settings of `cm` for a segment that begins with `sample`, to be coded together with a circuit; `None` where
/// the circuit is not for such content, or `level` has nothing for it.
#[must_use]
pub fn joined(pack: &CircuitPack, level: u8, sample: &[u8]) -> Option<Vec<u8>> {
    let &Kind::Stack { lead, stride } = &pack.kind else {
        return None;
    };
    let mut content = detect(sample);
    let width = usize::from(content.stride);
    if level < LEAST_LEVEL || content.class != Class::Grey || !stride.is_multiple_of(width) {
        return None;
    }
    pack.circuit.walk().ok()?;
    // Later segments begin where whole images end, as many bytes before an image as the first one.
    let here = match ArrayHeader::of_bytes(sample) {
        Some(_) => stack::find(sample).filter(|found| found.stride == stride)?,
        None => Stack { lead, stride },
    };
    content.plane = u32::try_from(here.stride).ok()?;
    content.offset = u32::try_from(here.lead).ok()?;
    Some(codec::settings(level, content))
}

/// Settings as of [`joined`] with which no segment takes less memory; `None` where there are none at all.
#[must_use]
pub fn most_joined(pack: &CircuitPack, level: u8) -> Option<Vec<u8>> {
    let &Kind::Stack { stride, .. } = &pack.kind else {
        return None;
    };
    let mut content = Content::new(Class::Grey, u16::MAX);
    content.plane = u32::try_from(stride).ok()?;
    (level >= LEAST_LEVEL).then(|| codec::settings(level.min(*LEVELS.end()), content))
}

/// A circuit, and where in its record coding stands.
struct Circuit {
    pack: Arc<CircuitPack>,
    walk: AnyWalk,
}

struct State {
    images: Images,
    simd: Level,
    model: AnyGrey,
    circuit: Option<Circuit>,
    /// Bytes that came, and those that are to come.
    seen: u64,
    left: u64,
    /// Hash of what the circuit says of zeros and of the first predictions, of which so many are to come.
    canary: Hasher,
    watched: usize,
}

impl State {
    fn new(images: Images, raw_len: u64) -> Result<Self, PredictorError> {
        Ok(Self {
            model: AnyGrey::new(images.plan(), raw_len, &[EXTERNAL])?,
            images,
            simd: simd::active().map_err(PredictorError::Setup)?,
            circuit: None,
            seen: 0,
            left: raw_len,
            canary: Hasher::new(),
            watched: 8 * CANARY_BYTES,
        })
    }

    fn set_circuit(&mut self, pack: Arc<CircuitPack>) -> Result<(), PredictorError> {
        const OTHER: PredictorError =
            PredictorError::Corrupt("the circuit is not for images of this size");
        if pack.stride() != Some(self.images.content.plane as usize) {
            return Err(OTHER);
        }
        let walk = pack.circuit.walk()?;
        self.canary = hash_of_zeros(&pack, self.simd);
        self.circuit = Some(Circuit { pack, walk });
        Ok(())
    }

    /// Codes bytes: those of `data`, or into it. Without a coder they are only learnt.
    fn code<'a>(
        &'a mut self,
        coder: Option<&'a mut (dyn Bits + 'a)>,
        data: &mut [u8],
    ) -> Result<(), PredictorError> {
        const PAST_END: PredictorError = PredictorError::Usage("more bytes than the segment has");
        let circuit = self.circuit.as_mut().ok_or(NO_CIRCUIT)?;
        let length = data.len() as u64;
        self.left = self.left.checked_sub(length).ok_or(PAST_END)?;
        // Where the first image begins, in `data`.
        let begin = u64::from(self.images.content.offset).saturating_sub(self.seen);
        let (before, images) = data.split_at_mut(begin.min(length) as usize);
        self.seen += length;
        let mut bits = Watched {
            coder,
            canary: &mut self.canary,
            left: &mut self.watched,
        };
        with_model!(&mut self.model, model => {
            simd::run(self.simd, Plain { model, bits: &mut bits, data: before });
            simd::run(self.simd, Joined {
                model,
                circuit,
                simd: self.simd,
                bits: &mut bits,
                data: images,
            });
        });
        Ok(())
    }

    fn canary(&self) -> u32 {
        self.canary.clone().finalize()
    }
}

/// Bits whose first predictions the canary covers, of which `left` are to come; they are known where there is
/// no coder.
struct Watched<'a> {
    coder: Option<&'a mut dyn Bits>,
    canary: &'a mut Hasher,
    left: &'a mut usize,
}

impl Bits for Watched<'_> {
    #[inline(always)]
    fn code(&mut self, bit: bool, p: u32) -> bool {
        if *self.left > 0 {
            *self.left -= 1;
            self.canary.update(&p.to_le_bytes());
        }
        match &mut self.coder {
            Some(coder) => coder.code(bit, p),
            None => bit,
        }
    }
}

/// Codes the next bit with what the circuit says of it.
#[inline(always)]
fn code_bit<K: Kernels, const S: usize, const A: usize>(
    model: &mut Model<S, A>,
    bits: &mut Watched<'_>,
    says: i16,
    position: usize,
    wanted: u8,
) -> bool {
    let class = ((i32::from(says) + 32768) >> 11) as usize;
    model.set_external(0, says, class * 8 + position);
    let p = model.predict::<K>();
    let bit = bits.code(wanted >> position & 1 == 1, p);
    model.update::<K>(bit);
    bit
}

/// Codes bytes before the first image, of which the circuit says nothing.
struct Plain<'a, 'b, const S: usize, const A: usize> {
    model: &'a mut Model<S, A>,
    bits: &'a mut Watched<'b>,
    data: &'a mut [u8],
}

impl<const S: usize, const A: usize> Job for Plain<'_, '_, S, A> {
    type Output = ();

    #[inline(always)]
    fn run<K: Kernels>(self) {
        for byte in self.data {
            let wanted = *byte;
            for position in (0..8).rev() {
                let bit = code_bit::<K, S, A>(self.model, self.bits, 0, position, wanted);
                *byte = *byte << 1 | u8::from(bit);
            }
        }
    }
}

/// Codes pixels.
struct Joined<'a, 'b, const S: usize, const A: usize> {
    model: &'a mut Model<S, A>,
    circuit: &'a mut Circuit,
    simd: Level,
    bits: &'a mut Watched<'b>,
    data: &'a mut [u8],
}

impl<const S: usize, const A: usize> Job for Joined<'_, '_, S, A> {
    type Output = ();

    #[inline(always)]
    fn run<K: Kernels>(self) {
        let Circuit { pack, walk } = self.circuit;
        let mut masses = walk.ask(&pack.circuit, Ask::Groups, self.simd);
        for byte in self.data {
            let wanted = *byte;
            let mut asked = Asked::new(&masses, 8);
            for position in (0..8).rev() {
                let (ones, zeros) = asked.masses();
                let says = stretch(ones, zeros);
                let bit = code_bit::<K, S, A>(self.model, self.bits, says, position, wanted);
                *byte = *byte << 1 | u8::from(bit);
                asked.take(bit);
                if position == 4 {
                    let group = Ask::Group(asked.group());
                    asked.lower(&walk.ask(&pack.circuit, group, self.simd));
                }
            }
            let next = Ask::Next(usize::from(*byte));
            masses = walk.ask(&pack.circuit, next, self.simd);
        }
    }
}

pub struct Encoder(State, BitEncoder);

impl Encoder {
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    pub fn new(images: Images, raw_len: u64) -> Result<Self, PredictorError> {
        Ok(Self(State::new(images, raw_len)?, BitEncoder::new()))
    }
}

impl SegmentEncoder for Encoder {
    fn set_circuit(&mut self, circuit: Arc<CircuitPack>) -> Result<(), PredictorError> {
        self.0.set_circuit(circuit)
    }

    fn write(&mut self, data: &[u8]) -> Result<(), PredictorError> {
        self.0.code(Some(&mut self.1), &mut data.to_vec())
    }

    fn finish_chunk(&mut self) -> Result<Vec<u8>, PredictorError> {
        Ok(self.1.finish())
    }

    fn coded_so_far(&self) -> u64 {
        self.1.bytes_ready() as u64
    }

    fn canary(&self) -> u32 {
        self.0.canary()
    }
}

pub struct Decoder(State, BitDecoder);

impl Decoder {
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    pub fn new(images: Images, raw_len: u64) -> Result<Self, PredictorError> {
        let coder = BitDecoder::new(Vec::new());
        Ok(Self(State::new(images, raw_len)?, coder))
    }
}

impl SegmentDecoder for Decoder {
    fn set_circuit(&mut self, circuit: Arc<CircuitPack>) -> Result<(), PredictorError> {
        self.0.set_circuit(circuit)
    }

    fn begin_chunk(&mut self, payload: Vec<u8>) -> Result<(), PredictorError> {
        self.1 = BitDecoder::new(payload);
        Ok(())
    }

    fn read(&mut self, out: &mut [u8]) -> Result<(), PredictorError> {
        self.0.code(Some(&mut self.1), out)
    }

    fn end_chunk(&mut self) -> Result<(), PredictorError> {
        Ok(self.1.finish()?)
    }

    fn train(&mut self, data: &[u8]) -> Result<(), PredictorError> {
        self.0.code(None, &mut data.to_vec())
    }

    fn canary(&self) -> u32 {
        self.0.canary()
    }
}
