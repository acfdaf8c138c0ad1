//! Stored bytes: a chunk's coded bytes are its raw bytes.

use crate::segment::{Predictor, PredictorError, SegmentDecoder, SegmentEncoder};

pub(crate) const PREDICTOR: Predictor = Predictor {
    id: "store",
    version: 1,
    coder: 0,
    memory: |settings, _| no_settings(settings).map(|()| 0),
    encoder: |settings, _| no_settings(settings).map(|()| Box::new(Store::default()) as _),
    decoder: |settings, _| no_settings(settings).map(|()| Box::new(Store::default()) as _),
    settings: |_, _| Vec::new(),
};

fn no_settings(settings: &[u8]) -> Result<(), PredictorError> {
    if settings.is_empty() {
        Ok(())
    } else {
        Err(PredictorError::Unsupported("settings of store"))
    }
}

#[derive(Default)]
struct Store {
    chunk: Vec<u8>,
    next: usize,
}

impl SegmentEncoder for Store {
    fn write(&mut self, data: &[u8]) -> Result<(), PredictorError> {
        self.chunk.extend_from_slice(data);
        Ok(())
    }

    fn finish_chunk(&mut self) -> Result<Vec<u8>, PredictorError> {
        Ok(std::mem::take(&mut self.chunk))
    }
}

impl SegmentDecoder for Store {
    fn begin_chunk(&mut self, payload: Vec<u8>) -> Result<(), PredictorError> {
        self.chunk = payload;
        self.next = 0;
        Ok(())
    }

    fn read(&mut self, out: &mut [u8]) -> Result<(), PredictorError> {
        let end = self.next + out.len();
        let bytes = self
            .chunk
            .get(self.next..end)
            .ok_or(PredictorError::Corrupt("stored chunk is too short"))?;
        out.copy_from_slice(bytes);
        self.next = end;
        Ok(())
    }

    fn end_chunk(&mut self) -> Result<(), PredictorError> {
        if self.next == self.chunk.len() {
            Ok(())
        } else {
            Err(PredictorError::Corrupt("stored chunk is too long"))
        }
    }

    fn train(&mut self, _data: &[u8]) -> Result<(), PredictorError> {
        Ok(())
    }
}
