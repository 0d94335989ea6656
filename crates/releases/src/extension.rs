//! File extensions of archives and their mime types.

/// The extension of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Extension {
    /// `.zip`
    Zip,
    /// `.tar.gz`
    TarGz,
    /// `.tar.bz2`
    TarBz2,
    /// `.tar.xz`: Linux, since Firefox 135.
    TarXz,
    /// `.dmg`: macOS disk image.
    Dmg,
    /// `.pkg`: macOS installer package.
    Pkg,
    /// `.apk`: Android package.
    Apk,
    /// `.aab`: Android app bundle.
    Aab,
    /// `.exe`: Windows installer.
    Exe,
    /// `.msi`: Windows installer wrapped for administrators, since Firefox 65.
    Msi,
    /// `.msix`: Windows package.
    Msix,
    /// `.deb`: Debian package.
    Deb,
}

impl Extension {
    /// Every extension.
    pub const ALL: [Self; 12] = [
        Self::Zip,
        Self::TarGz,
        Self::TarBz2,
        Self::TarXz,
        Self::Dmg,
        Self::Pkg,
        Self::Apk,
        Self::Aab,
        Self::Exe,
        Self::Msi,
        Self::Msix,
        Self::Deb,
    ];

    /// The extension with its leading dot.
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Zip => ".zip",
            Self::TarGz => ".tar.gz",
            Self::TarBz2 => ".tar.bz2",
            Self::TarXz => ".tar.xz",
            Self::Dmg => ".dmg",
            Self::Pkg => ".pkg",
            Self::Apk => ".apk",
            Self::Aab => ".aab",
            Self::Exe => ".exe",
            Self::Msi => ".msi",
            Self::Msix => ".msix",
            Self::Deb => ".deb",
        }
    }

    /// The mime type, for `download.mimetype`.
    ///
    /// Where the original Buildhub had one it stays. For the extensions it did not know: the IANA registry has
    /// `application/vnd.debian.binary-package` and `application/vnd.apple.installer+xml`; Microsoft's MSIX pages name
    /// `application/msix`; `.xz` and `.msi` have the customary `application/x-xz` and `application/x-msi`; app bundles have none, so they are bytes.
    pub const fn mimetype(self) -> &'static str {
        match self {
            Self::Zip => "application/zip",
            Self::TarGz => "application/x-gzip",
            Self::TarBz2 => "application/x-bzip2",
            Self::TarXz => "application/x-xz",
            Self::Dmg => "application/x-apple-diskimage",
            Self::Pkg => "application/vnd.apple.installer+xml",
            Self::Apk => "application/vnd.android.package-archive",
            Self::Aab => "application/octet-stream",
            Self::Exe => "application/msdos-windows",
            Self::Msi => "application/x-msi",
            Self::Msix => "application/msix",
            Self::Deb => "application/vnd.debian.binary-package",
        }
    }

    /// The extension of a file, judged by its very end, dots included.
    pub fn of(file: &str) -> Option<Self> {
        Some(match file.as_bytes() {
            [.., b'.', b'z', b'i', b'p'] => Self::Zip,
            [.., b'.', b't', b'a', b'r', b'.', b'g', b'z'] => Self::TarGz,
            [.., b'.', b't', b'a', b'r', b'.', b'b', b'z', b'2'] => Self::TarBz2,
            [.., b'.', b't', b'a', b'r', b'.', b'x', b'z'] => Self::TarXz,
            [.., b'.', b'd', b'm', b'g'] => Self::Dmg,
            [.., b'.', b'p', b'k', b'g'] => Self::Pkg,
            [.., b'.', b'a', b'p', b'k'] => Self::Apk,
            [.., b'.', b'a', b'a', b'b'] => Self::Aab,
            [.., b'.', b'e', b'x', b'e'] => Self::Exe,
            [.., b'.', b'm', b's', b'i'] => Self::Msi,
            [.., b'.', b'm', b's', b'i', b'x'] => Self::Msix,
            [.., b'.', b'd', b'e', b'b'] => Self::Deb,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_extension_is_found_at_the_end_of_a_name() {
        for extension in Extension::ALL {
            assert_eq!(Extension::of(&format!("firefox-60.0{}", extension.suffix())), Some(extension));
            assert_eq!(Extension::of(&format!("firefox-60.0{}.asc", extension.suffix())), None);
        }
    }

    #[test]
    fn defect_11_the_dots_of_an_extension_are_dots() {
        for name in ["firefox-60.0xtarxgz", "firefox-60.0tar.bz2", "firefox-60.0.tarxbz2", "firefox-60_exe", "exe", ""]
        {
            assert_eq!(Extension::of(name), None, "{name}");
        }
    }
}
