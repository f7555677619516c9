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
        let known = [(&[0x1f, 0x8b][..], Self::Gzip), (&[0x28, 0xb5, 0x2f, 0xfd], Self::Zstd)];
        known.into_iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, packing)| packing)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
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
        let mut frame = StreamingDecoder::new(&mut rest).map_err(|error| error.to_string())?;
        let left = (MAX_BYTES + 1).saturating_sub(unpacked.len() as u64);
        frame.by_ref().take(left).read_to_end(&mut unpacked).map_err(|error| error.to_string())?;
        let frame = frame.into_frame_decoder();
        let sum = frame.get_checksum_from_data().filter(|_| frame.is_finished());
        if sum.is_some() && sum != frame.get_calculated_checksum() {
            return Err("its checksum is wrong".to_owned());
        }
    }
    Ok(unpacked)
}

#[cfg(not(feature = "zstd"))]
fn unzstd(_: &[u8]) -> Result<Vec<u8>, String> {
    Err("this program was built without the feature zstd".to_owned())
}
