//! Memory of Python objects, used without the GIL. The one place of this crate with `unsafe`.

use std::ffi::c_int;

use llmzip_predictors::chunks::Segment;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyBufferError, PyValueError};
use pyo3::ffi;
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

/// Bytes that Rust made, for Python to read where they lie.
#[pyclass(frozen, module = "llmzip._native")]
pub struct Made(pub Segment);

#[pymethods]
impl Made {
    /// # Safety
    /// `view` is what Python wants to have filled.
    #[allow(unsafe_code)]
    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        let bytes = slf.get().0.bytes();
        let (at, len) = (bytes.as_ptr().cast_mut(), bytes.len().cast_signed());
        // SAFETY: the view holds the object, which is frozen: its bytes neither move nor change, and
        // they are said to be read-only.
        let filled =
            unsafe { ffi::PyBuffer_FillInfo(view, slf.as_ptr(), at.cast(), len, 1, flags) };
        match filled {
            0 => Ok(()),
            _ => Err(PyErr::fetch(slf.py())),
        }
    }
}

/// Asks the system for huge pages where `data` lies: one by one, fresh pages take longer than what is
/// written to them. Where there are none, nothing changes.
#[pyfunction]
pub fn prefer_huge_pages(data: Bytes) {
    #[cfg(target_os = "linux")]
    {
        const HUGE: usize = 1 << 21;
        let bytes = data.as_slice();
        let skip = bytes.as_ptr().align_offset(HUGE);
        let whole = bytes.len().saturating_sub(skip) / HUGE * HUGE;
        if whole > 0 {
            let at = bytes[skip..].as_ptr().cast_mut().cast();
            // SAFETY: pages of memory that is there; the advice changes none of its content.
            #[allow(unsafe_code)]
            unsafe {
                libc::madvise(at, whole, libc::MADV_HUGEPAGE);
            }
        }
    }
}
