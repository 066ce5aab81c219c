//! Entry headers of a cpio archive (formats `070701` and `070702`).

use super::PayloadError;

/// Longest name, its NUL included (rpm's limit).
pub(super) const MAX_NAME_SIZE: u64 = 4096;

/// The two fields of an entry header that mean anything in a package.
pub(super) struct CpioHeader {
    pub(super) file_size: u64,
    pub(super) name_size: u64,
}

impl CpioHeader {
    /// Reads the thirteen fields after the magic; all must be hexadecimal.
    pub(super) fn parse(fields: &[u8; 104]) -> Result<Self, PayloadError> {
        let mut values = [0; 13];
        for (value, digits) in values.iter_mut().zip(fields.chunks_exact(8)) {
            *value = hex(digits)?;
        }
        let [_, _, _, _, _, _, file_size, _, _, _, _, name_size, _] = values;
        Ok(CpioHeader {
            file_size: u64::from(file_size),
            name_size: u64::from(name_size),
        })
    }
}

/// Eight hexadecimal digits.
pub(super) fn hex(digits: &[u8]) -> Result<u32, PayloadError> {
    digits.iter().try_fold(0, |value: u32, digit| {
        let digit = char::from(*digit).to_digit(16);
        let digit = digit.ok_or(PayloadError::Entry("a number is not hexadecimal"))?;
        Ok(value << 4 | digit)
    })
}
