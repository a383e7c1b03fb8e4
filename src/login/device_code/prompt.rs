//! What the person has to see.

use std::{fmt, time::Duration};

use crate::{endpoint::DeviceAuthorization, secret::Secret};

/// The page that a person opens, and the code that they enter there.
///
/// `Debug` shows the page alone: who reads the code in a log before it was entered could enter it.
pub struct DevicePrompt {
    verification_uri: String,
    verification_uri_complete: Option<Secret>,
    user_code: Secret,
    expires_in: Duration,
}

impl DevicePrompt {
    pub(super) fn new(codes: &DeviceAuthorization) -> Self {
        Self {
            verification_uri: codes.verification_uri.clone(),
            verification_uri_complete: codes.verification_uri_complete.clone(),
            user_code: codes.user_code.clone(),
            expires_in: codes.expires_in,
        }
    }

    /// The page to open, as the issuer wrote it: short enough to be typed.
    pub fn verification_uri(&self) -> &str {
        &self.verification_uri
    }

    /// The same page with the code filled in, for a link or a QR code, where the issuer has one.
    ///
    /// RFC 8628 section 3.3.1: show the code beside it all the same, so that the person can compare.
    pub fn verification_uri_complete(&self) -> Option<&str> {
        self.verification_uri_complete.as_ref().map(Secret::expose)
    }

    /// The code to enter, as the issuer wrote it.
    pub fn user_code(&self) -> &str {
        self.user_code.expose()
    }

    /// How long both are good for from now; 10 min where the issuer does not say.
    pub fn expires_in(&self) -> Duration {
        self.expires_in
    }

    /// [`verification_uri_complete`](Self::verification_uri_complete) as a QR code in half blocks, for
    /// light text on a dark ground; nothing if there is none, or if it is too long for one.
    ///
    /// Each line has about 40 characters, the quiet zone around it included.
    #[cfg(feature = "qrcode")]
    pub fn qr_code(&self) -> Option<String> {
        use qrcode::{EcLevel, QrCode, render::unicode::Dense1x2};

        let uri = self.verification_uri_complete()?;
        // A screen is clean: the least error correction makes the smallest code.
        let code = QrCode::with_error_correction_level(uri, EcLevel::L).ok()?;
        // Half blocks are drawn in the text's colour: the light parts, on a dark ground.
        let image = code
            .render::<Dense1x2>()
            .dark_color(Dense1x2::Light)
            .light_color(Dense1x2::Dark)
            .build();
        Some(image)
    }

    /// All of it as a terminal shows it.
    pub(super) fn text(&self) -> String {
        let (page, code) = (self.verification_uri(), self.user_code());
        let complete = self
            .verification_uri_complete()
            .map_or_else(String::new, |page| {
                format!("or open this one, which shows the same code\n\n    {page}\n\n")
            });
        // Rounded up, so that a short one does not read as none.
        let minutes = self.expires_in.as_secs().div_ceil(60);
        let unit = if minutes == 1 { "minute" } else { "minutes" };
        format!(
            "To sign in, open this page on any device\n\n    {page}\n\n\
             and enter the code\n\n    {code}\n\n{complete}{}\
             The code is good for {minutes} {unit}.\n",
            self.image()
        )
    }

    #[cfg(feature = "qrcode")]
    fn image(&self) -> String {
        self.qr_code()
            .map_or_else(String::new, |image| format!("{image}\n\n"))
    }

    #[cfg(not(feature = "qrcode"))]
    #[expect(clippy::unused_self, reason = "with the feature it draws")]
    fn image(&self) -> &'static str {
        ""
    }
}

impl fmt::Debug for DevicePrompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DevicePrompt")
            .field("verification_uri", &self.verification_uri)
            .field("expires_in", &self.expires_in)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt(complete: Option<&str>) -> DevicePrompt {
        DevicePrompt {
            verification_uri: "https://a.example/device".to_owned(),
            verification_uri_complete: complete.map(Secret::from),
            user_code: Secret::from("WDJB-MJHT"),
            expires_in: Duration::from_secs(90),
        }
    }

    #[test]
    fn a_terminal_shows_page_code_and_time() {
        let text = prompt(None).text();
        for part in ["https://a.example/device\n", "WDJB-MJHT\n", "2 minutes"] {
            assert!(text.contains(part), "{text}");
        }
        let complete = "https://a.example/device?user_code=WDJB-MJHT";
        assert!(prompt(Some(complete)).text().contains(complete));
    }

    #[test]
    fn debug_shows_no_code() {
        let prompt = prompt(Some("https://a.example/device?user_code=WDJB-MJHT"));
        let shown = format!("{prompt:?} {prompt:#?}");
        assert!(shown.contains("a.example") && !shown.contains("WDJB"));
    }

    #[cfg(feature = "qrcode")]
    #[test]
    fn a_qr_code_is_a_square_of_half_blocks_with_a_quiet_zone() {
        let complete = "https://a.example/device?user_code=WDJB-MJHT";
        let image = prompt(Some(complete)).qr_code().unwrap();
        let widths: Vec<usize> = image.lines().map(|line| line.chars().count()).collect();
        assert!(widths.iter().all(|width| *width == widths[0]));
        assert_eq!(widths[0].div_ceil(2), widths.len());
        // The light quiet zone is drawn, so that a dark ground does not swallow it.
        assert!(image.starts_with("████"));
        assert!(prompt(None).qr_code().is_none());
        let long = format!("https://a.example/{}", "x".repeat(4000));
        assert!(prompt(Some(&long)).qr_code().is_none());
    }
}
