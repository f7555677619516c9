//! Maps that are packed with gzip or Zstandard. The first bytes tell them from text.

#[cfg(any(feature = "gzip", feature = "zstd"))]
use std::io::Read;

/// The limit on a map, unpacked, in bytes.
pub(crate) const MAX_BYTES: u64 = 64 << 20;

/// The ways of packing that are known.
#[derive(Clone, Copy)]
enum Packing {
    Gzip,
    Zstd,
}

impl Packing {
    /// Returns the packing of bytes, if they are packed. No JSON begins with these bytes.
    fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            _ if is_skippable(bytes) => Some(Self::Zstd),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// Returns whether bytes are packed.
pub(crate) fn is_packed(bytes: &[u8]) -> bool {
    Packing::of(bytes).is_some()
}

/// Unpacks bytes. Returns `None` if they are not packed.
///
/// # Errors
///
/// Returns a message if the bytes are damaged, if they unpack to more than [`MAX_BYTES`], or if the
/// feature that unpacks them is not enabled.
pub(crate) fn unpack(bytes: &[u8]) -> Option<Result<Vec<u8>, String>> {
    let packing = Packing::of(bytes)?;
    let name = packing.name();
    let unpacked = match packing {
        Packing::Gzip => gunzip(bytes),
        Packing::Zstd => unzstd(bytes),
    };
    Some(match unpacked {
        Ok(unpacked) if unpacked.len() as u64 > MAX_BYTES => {
            Err(format!("{name} data that unpacks to more than 64 MiB, the limit for maps"))
        }
        unpacked => unpacked.map_err(|reason| format!("{name} data that cannot be unpacked: {reason}")),
    })
}

/// Unpacks gzip, up to a byte more than the limit.
#[cfg(feature = "gzip")]
fn gunzip(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut unpacked = Vec::new();
    let reader = flate2::read::MultiGzDecoder::new(bytes);
    let read = reader.take(MAX_BYTES + 1).read_to_end(&mut unpacked);
    read.map(|_| unpacked).map_err(|error| error.to_string())
}

#[cfg(not(feature = "gzip"))]
fn gunzip(_: &[u8]) -> Result<Vec<u8>, String> {
    Err("this program was built without the feature gzip".to_owned())
}

/// Unpacks the frames of Zstandard, up to a byte more than the limit, and checks their checksums.
#[cfg(feature = "zstd")]
fn unzstd(bytes: &[u8]) -> Result<Vec<u8>, String> {
    use ruzstd::decoding::StreamingDecoder;

    let (mut rest, mut unpacked) = (bytes, Vec::new());
    while !rest.is_empty() && unpacked.len() as u64 <= MAX_BYTES {
        if is_skippable(rest) {
            let length = rest.get(4..8).and_then(|length| length.try_into().ok()).map(u32::from_le_bytes);
            let length = length.and_then(|length| usize::try_from(length).ok()?.checked_add(8));
            rest = length.and_then(|length| rest.get(length..)).ok_or("a skippable frame that breaks off")?;
            continue;
        }
        // The decoder keeps a whole window before it hands out a byte, and checks no limit on that.
        let (window, size) = frame_header(rest).ok_or("a frame that breaks off")?;
        if window.max(size.unwrap_or_default()) > MAX_BYTES {
            return Err("a frame that takes more than 64 MiB of memory".to_owned());
        }
        let before = unpacked.len() as u64;
        let mut frame = StreamingDecoder::new(&mut rest).map_err(|error| error.to_string())?;
        let left = (MAX_BYTES + 1).saturating_sub(before);
        frame.by_ref().take(left).read_to_end(&mut unpacked).map_err(|error| error.to_string())?;
        let frame = frame.into_frame_decoder();
        if !frame.is_finished() {
            continue;
        }
        let sum = frame.get_checksum_from_data();
        if sum.is_some() && sum != frame.get_calculated_checksum() {
            return Err("its checksum is wrong".to_owned());
        }
        if size.is_some_and(|size| size != unpacked.len() as u64 - before) {
            return Err("its size is wrong".to_owned());
        }
    }
    Ok(unpacked)
}

/// Returns whether bytes begin with a frame of Zstandard that has no data.
fn is_skippable(bytes: &[u8]) -> bool {
    matches!(bytes, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// Returns the window of a frame of Zstandard, and the size that it states of its content, if it does: RFC
/// 8878, section 3.1.1.1. Returns `None` if the header breaks off.
#[cfg(feature = "zstd")]
fn frame_header(frame: &[u8]) -> Option<(u64, Option<u64>)> {
    let descriptor = *frame.get(4)?;
    let is_single = descriptor & 0x20 != 0;
    let mut at = 5;
    let mut window = 0;
    if !is_single {
        let byte = u64::from(*frame.get(at)?);
        let base = 1_u64 << (10 + (byte >> 3));
        window = base + base / 8 * (byte & 7);
        at += 1;
    }
    at += [0, 1, 2, 4].get(usize::from(descriptor & 3))?;
    let length = match descriptor >> 6 {
        0 => usize::from(is_single),
        flag => 1 << flag,
    };
    let stated = frame.get(at..at + length)?;
    let size = stated.iter().rev().fold(0_u64, |size, byte| (size << 8) | u64::from(*byte));
    let size = if length == 2 { size + 256 } else { size };
    Some((window, (length > 0).then_some(size)))
}

#[cfg(not(feature = "zstd"))]
fn unzstd(_: &[u8]) -> Result<Vec<u8>, String> {
    Err("this program was built without the feature zstd".to_owned())
}
