//! A model pack of the transformer as a [`ModelPack`].

use std::ops::Range;
use std::sync::Arc;

use super::lockstep::{Lockstep, Member};
use super::{LanguageModel, ModelPack, Vocabulary};
use crate::segment::PredictorError;
use crate::simd;
use crate::transformer::bpe::{Bpe, first_token};
use crate::transformer::{Adapter, Model, Pack, Session, States};

/// A transformer with its vocabulary, ready to be run.
pub struct Packed {
    model: Arc<Model>,
    vocabulary: Vocabulary,
    tokenizer: Bpe,
    first_token: Option<u32>,
}

impl Packed {
    /// Takes a pack up; `threads` evaluate rows at a time.
    ///
    /// # Errors
    /// [`PredictorError::Corrupt`] where the pack is damaged, [`PredictorError::Unsupported`] where this
    /// build does not know what it asks for, [`PredictorError::Setup`] for a wrong `LLMZIP_SIMD`.
    pub fn new(pack: Pack, threads: usize) -> Result<Self, PredictorError> {
        let pack = Arc::new(pack);
        let level = simd::active().map_err(PredictorError::Setup)?;
        let (ends, rest) = pack.plain("vocab.ends", "u32")?.as_chunks();
        if !rest.is_empty() || ends.len() != pack.config().vocab {
            return Err(PredictorError::Corrupt("the model's vocabulary is damaged"));
        }
        let ends: Vec<u32> = ends.iter().map(|&end| u32::from_le_bytes(end)).collect();
        Ok(Self {
            vocabulary: Vocabulary::new(pack.plain("vocab.bytes", "u8")?, &ends)?,
            tokenizer: Bpe::of_pack(&pack)?,
            first_token: first_token(&pack)?,
            model: Arc::new(Model::new(pack, level, threads)?),
        })
    }
}

impl ModelPack for Packed {
    fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    fn context(&self) -> usize {
        self.model.context()
    }

    fn first_token(&self) -> Option<u32> {
        self.first_token
    }

    fn memory(&self, window: usize, together: usize) -> u64 {
        let config = self.model.config();
        let positions = window.min(self.context()).next_multiple_of(64) as u64;
        let values = (config.head_size + config.head_size.next_multiple_of(64)) as u64;
        let heads = (config.layers * config.kv_heads) as u64;
        let widest = (config.ffn + config.hidden) as u64;
        let vocab = config.vocab as u64;
        // What the adapter knows of each token; a batch's logits, and what is computed of it.
        heads * positions * (2 * values + 8)
            + 24 * vocab
            + together as u64 * (4 * vocab + 32 * widest)
    }

    fn tokens_of(&self, text: &[u8], tokens: &mut Vec<u32>) {
        self.tokenizer.encode(text, tokens);
    }

    fn start(
        self: Arc<Self>,
        window: usize,
        learns: bool,
    ) -> Result<Box<dyn LanguageModel>, PredictorError> {
        Ok(Box::new(Run {
            session: Some(Session::new(&self.model, window)?),
            states: States::new(),
            adapter: learns.then(|| Adapter::new(&self.model)).transpose()?,
            forks: Arc::new(Lockstep::new(&self.model)),
            member: None,
            made: Vec::new(),
            model: Arc::clone(&self.model),
        }))
    }
}

struct Run {
    model: Arc<Model>,
    /// There but while it is with the others.
    session: Option<Session>,
    /// After the tokens fed last.
    states: States,
    adapter: Option<Adapter>,
    /// Where forks of this one meet.
    forks: Arc<Lockstep>,
    /// Its own place beside other forks, if it is one.
    member: Option<Member>,
    /// Logits after the token fed last, where they were made together with those of others.
    made: Vec<i32>,
}

/// Why there is a session.
const BROKEN: PredictorError = PredictorError::Usage("the model was broken off before");

impl LanguageModel for Run {
    fn advance(&mut self, tokens: &[u32]) -> Result<(), PredictorError> {
        self.states.clear();
        self.made.clear();
        if let (Some(member), &[token]) = (&self.member, tokens) {
            let done = member.evaluate(self.session.take().ok_or(BROKEN)?, token)?;
            (self.session, self.states, self.made) = (Some(done.session), done.state, done.logits);
            return Ok(());
        }
        let session = self.session.as_mut().ok_or(BROKEN)?;
        session.advance_states(tokens, &mut self.states)
    }

    fn logits(&self, range: Range<usize>, logits: &mut Vec<i32>) -> Result<(), PredictorError> {
        if self.made.is_empty() {
            return self.model.logits(&self.states, range, logits);
        }
        let vocab = self.model.config().vocab;
        logits.extend_from_slice(&self.made[range.start * vocab..range.end * vocab]);
        Ok(())
    }

    fn left(&self) -> usize {
        self.adapter.as_ref().map_or(usize::MAX, Adapter::left)
    }

    fn adapt(&mut self, logits: &mut [i32]) {
        if let Some(adapter) = &mut self.adapter {
            adapter.adapt(logits);
        }
    }

    fn learn(&mut self, logits: &[i32], token: Option<u32>) -> Result<(), PredictorError> {
        let adapter = self.adapter.as_mut();
        adapter.map_or(Ok(()), |adapter| adapter.learn(logits, token))
    }

    fn fork(&self) -> Result<Box<dyn LanguageModel>, PredictorError> {
        Ok(Box::new(Self {
            model: Arc::clone(&self.model),
            session: Some(self.session.clone().ok_or(BROKEN)?),
            states: States::new(),
            adapter: self.adapter.clone(),
            forks: Arc::new(Lockstep::new(&self.model)),
            member: Some(Lockstep::join(&self.forks)),
            made: Vec::new(),
        }))
    }

    fn reset(&mut self) {
        if let Some(session) = &mut self.session {
            session.reset();
        }
        if let Some(member) = &self.member {
            member.pause();
        }
    }
}
