//! The keys that pointers are signed with.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, UnparsedPublicKey};

use super::document::Pointer;
use crate::error::Error;

/// The public keys that are trusted. With none, signatures are not checked.
pub(super) struct Keys(Vec<[u8; 32]>);

/// The beginning of an Ed25519 public key in DER, before its 32 bytes: RFC 8410, section 10.1.
const DER: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

impl Keys {
    /// Reads keys in PEM or in Base64.
    pub(super) fn read(texts: &[String]) -> Result<Self, Error> {
        let keys = (1..).zip(texts).map(|(place, text)| {
            read_key(text).ok_or_else(|| Error::InvalidSetting {
                setting: "trust_key",
                reason: format!(
                    "key {place} is no Ed25519 public key: give its PEM, as `openssl pkey -pubout` prints it, or its 32 bytes in Base64"
                ),
            })
        });
        keys.collect::<Result<_, _>>().map(Self)
    }

    /// Checks the signature of a pointer.
    pub(super) fn check(&self, pointer: &Pointer) -> Result<(), String> {
        if self.0.is_empty() {
            return Ok(());
        }
        let signature = pointer.signature.as_deref().ok_or("it has no signature, and must have one")?;
        let signature = STANDARD.decode(signature).map_err(|_| "its signature is not Base64")?;
        let text = pointer.signed_text();
        let is_signed_by = |key: &[u8; 32]| {
            UnparsedPublicKey::new(&ED25519, key).verify(text.as_bytes(), &signature).is_ok()
        };
        if self.0.iter().any(is_signed_by) {
            return Ok(());
        }
        Err("its signature is of none of the trusted keys".to_owned())
    }
}

fn read_key(text: &str) -> Option<[u8; 32]> {
    let text = text.trim();
    let Some(pem) = text.strip_prefix("-----BEGIN PUBLIC KEY-----") else {
        return STANDARD.decode(text).ok()?.try_into().ok();
    };
    let body: String = pem.strip_suffix("-----END PUBLIC KEY-----")?.split_ascii_whitespace().collect();
    STANDARD.decode(body).ok()?.strip_prefix(&DER)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The public key of RFC 8032, section 7.1, test 1.
    const KEY: [u8; 32] = [
        0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e,
        0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
    ];

    #[test]
    fn reads_keys() {
        let plain = STANDARD.encode(KEY);
        assert_eq!(read_key(&format!(" {plain}\n")), Some(KEY));
        let der = STANDARD.encode([DER.as_slice(), &KEY].concat());
        let (first, rest) = der.split_at(40);
        let pem = format!("-----BEGIN PUBLIC KEY-----\r\n{first}\r\n{rest}\r\n-----END PUBLIC KEY-----\r\n");
        assert_eq!(read_key(&pem), Some(KEY));
        for bad in [
            "",
            "?",
            &plain.replacen('1', "", 1),
            &pem.replace("PUBLIC", "PRIVATE"),
            &pem.replace("MC", "MD"),
            &der,
        ] {
            assert_eq!(read_key(bad), None, "{bad}");
        }
    }
}
