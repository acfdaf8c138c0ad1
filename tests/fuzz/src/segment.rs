//! A predictor's segment: a round trip in several chunks, then damaged chunks.

use llmzip_predictors::segment::{Predictor, PredictorError, registry};

use crate::source::Source;

/// A predictor that would take more than this for an input is not tried with it.
pub const MEMORY: u64 = 512 << 20;

/// A chunk as the container holds it: type 1 (coded) or type 3 (the raw bytes, coded in vain).
enum Chunk {
    Coded(Vec<u8>),
    Raw,
}

/// Input: predictor, level, length of a chunk (2 bytes), damaged chunk, damage (4 bytes), content.
pub fn run(data: &[u8]) {
    let mut source = Source::new(data);
    let predictor = &registry()[usize::from(source.u8()) % registry().len()];
    let level = source.u8() % 9 + 1;
    let length = usize::from(source.u16()).max(1);
    let victim = usize::from(source.u8());
    let damage = source.take(4);
    let content = source.rest();
    let settings = (predictor.settings)(level, content);
    let size = content.len() as u64;
    let memory = (predictor.memory)(&settings, size).expect("settings of its own making");
    if memory > MEMORY {
        return;
    }

    let pieces: Vec<&[u8]> = content.chunks(length).collect();
    let (mut chunks, canary) =
        encode(predictor, &settings, content, &pieces).expect("honest input");
    let mut out = vec![0; content.len()];
    let seen = decode(predictor, &settings, &pieces, &chunks, &mut out).expect("honest archive");
    assert_eq!(out, content, "{} at level {level}", predictor.id);
    assert_eq!(seen, canary, "canary of {}", predictor.id);

    if !chunks.is_empty() {
        let victim = victim % chunks.len();
        if let Chunk::Coded(payload) = &mut chunks[victim] {
            Source::new(damage).damage(payload);
            // Wrong bytes may come out: the chunk's check is the container's work.
            let _ = decode(predictor, &settings, &pieces, &chunks, &mut out);
        }
    }
}

fn encode(
    predictor: &Predictor,
    settings: &[u8],
    content: &[u8],
    pieces: &[&[u8]],
) -> Result<(Vec<Chunk>, u32), PredictorError> {
    let mut encoder = (predictor.encoder)(settings, content.len() as u64)?;
    encoder.look_ahead(content);
    let mut chunks = Vec::new();
    for piece in pieces {
        // In two writes, since a caller may cut anywhere.
        let (head, tail) = piece.split_at(piece.len() / 3);
        encoder.write(head)?;
        encoder.write(tail)?;
        let coded = encoder.finish_chunk()?;
        chunks.push(if coded.len() < piece.len() {
            Chunk::Coded(coded)
        } else {
            Chunk::Raw
        });
    }
    Ok((chunks, encoder.canary()))
}

fn decode(
    predictor: &Predictor,
    settings: &[u8],
    pieces: &[&[u8]],
    chunks: &[Chunk],
    out: &mut [u8],
) -> Result<u32, PredictorError> {
    let mut decoder = (predictor.decoder)(settings, out.len() as u64)?;
    let mut at = 0;
    for (piece, chunk) in pieces.iter().zip(chunks) {
        let target = &mut out[at..at + piece.len()];
        match chunk {
            Chunk::Coded(payload) => {
                decoder.begin_chunk(payload.clone())?;
                let (head, tail) = target.split_at_mut(piece.len() / 2);
                decoder.read(head)?;
                decoder.read(tail)?;
                decoder.end_chunk()?;
            }
            Chunk::Raw => {
                target.copy_from_slice(piece);
                decoder.train(piece)?;
            }
        }
        at += piece.len();
    }
    Ok(decoder.canary())
}
