//! Memory of Python objects, used without the GIL. The one place of this crate with `unsafe`.

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyBufferError, PyValueError};
use pyo3::prelude::*;

/// Bytes that are read where they lie: of `bytes`, `bytearray`, `memoryview`, `mmap`, an array.
pub struct Bytes(PyBuffer<u8>);

/// Bytes that are written where they lie.
pub struct BytesMut(PyBuffer<u8>);

impl<'a, 'py> FromPyObject<'a, 'py> for Bytes {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        contiguous(&object).map(Self)
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for BytesMut {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let buffer = contiguous(&object)?;
        if buffer.readonly() {
            return Err(PyBufferError::new_err("the output buffer is read-only"));
        }
        Ok(Self(buffer))
    }
}

fn contiguous(object: &Bound<'_, PyAny>) -> PyResult<PyBuffer<u8>> {
    let buffer = PyBuffer::<u8>::get(object)?;
    if !buffer.is_c_contiguous() {
        return Err(PyBufferError::new_err("a buffer has to be contiguous"));
    }
    Ok(buffer)
}

impl Bytes {
    pub fn as_slice(&self) -> &[u8] {
        // SAFETY: the buffer keeps its object from freeing or moving these bytes, and they are
        // contiguous. That nobody writes to them meanwhile is for the caller in Python to see to,
        // as with `hashlib` and `zlib`, which let go of the GIL in the same way.
        #[allow(unsafe_code)]
        unsafe {
            slice(&self.0)
        }
    }
}

/// The bytes of both, which must not be the same ones.
pub fn apart<'a>(input: &'a Bytes, out: &'a mut BytesMut) -> PyResult<(&'a [u8], &'a mut [u8])> {
    let source = input.as_slice();
    let (begin, len) = (out.0.buf_ptr().cast::<u8>(), out.0.len_bytes());
    let behind = |a: *const u8, len: usize, b: *const u8| a.addr() + len <= b.addr();
    if !behind(source.as_ptr(), source.len(), begin) && !behind(begin, len, source.as_ptr()) {
        return Err(PyValueError::new_err("input and output buffer overlap"));
    }
    if len == 0 {
        return Ok((source, &mut []));
    }
    // SAFETY: as in `as_slice`; it is writable, this is the one view of it that Rust has, and
    // nothing of `source` lies in it.
    #[allow(unsafe_code)]
    let target = unsafe { std::slice::from_raw_parts_mut(begin, len) };
    Ok((source, target))
}

/// # Safety
/// The buffer is contiguous, and nobody writes to it while the slice lives.
#[allow(unsafe_code)]
unsafe fn slice(buffer: &PyBuffer<u8>) -> &[u8] {
    match buffer.len_bytes() {
        // An empty one may have no address.
        0 => &[],
        // SAFETY: as this function asks.
        len => unsafe { std::slice::from_raw_parts(buffer.buf_ptr().cast(), len) },
    }
}
