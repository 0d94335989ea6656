//! Objects made of files.

use std::io::SeekFrom;
use std::path::Path;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::{Created, PARTS_MAX, Part, S3Store, Upload};
use crate::store::{ObjectHeaders, ObjectStore as _, Sent, StoreError, StoreErrorKind, all_or_none};

/// What is larger is sent in parts of at least this size.
const PART: u64 = 16 << 20;
/// Parts under way at the same time, each in memory.
const WINDOW: usize = 4;

impl S3Store {
    pub(super) async fn create_from_file(
        &self,
        key: &str,
        file: &Path,
        headers: &ObjectHeaders,
        sent: Sent<'_>,
    ) -> Result<bool, StoreError> {
        match self.head(key).await {
            Ok(_) => return Ok(false),
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
        let size = tokio::fs::metadata(file).await.map_err(|error| unreadable(file, &error))?.len();
        if size <= PART {
            let bytes = piece(file, 0, size).await?;
            let created = self.create_with(key, bytes, headers).await?;
            if matches!(created, Created::Done) {
                sent(size);
            }
            return self.settle(key, created).await;
        }
        let upload = self.begin(key, headers).await?;
        let created = self.send(&upload, file, size, sent).await;
        if !matches!(created, Ok(Created::Done)) {
            // What cannot be given up now, the bucket's rule for unfinished uploads removes.
            let _ = self.abort(&upload).await;
        }
        match created {
            Ok(created) => self.settle(key, created).await,
            // Completed by a request whose answer was lost, or by another: who asks looks at what is there.
            Err(error) if error.is_not_found() && self.head(key).await.is_ok_and(|found| found.size == size) => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    async fn send(&self, upload: &Upload, file: &Path, size: u64, sent: Sent<'_>) -> Result<Created, StoreError> {
        let length = PART.max(size.div_ceil(u64::from(PARTS_MAX)));
        let ranges = (1u32..).zip((0..size).step_by(usize::try_from(length).unwrap_or(usize::MAX)));
        let sending = ranges.map(|(number, at)| async move {
            let bytes = piece(file, at, length.min(size - at)).await?;
            let length = bytes.len() as u64;
            let part = self.part(upload, number, bytes).await?;
            sent(length);
            Ok(part)
        });
        let parts: Vec<Part> = all_or_none(sending, WINDOW).await?;
        self.complete(upload, parts).await
    }
}

/// Bytes of a file. One that has become shorter is a fault.
async fn piece(file: &Path, at: u64, length: u64) -> Result<Bytes, StoreError> {
    let read = async {
        let mut open = tokio::fs::File::open(file).await?;
        open.seek(SeekFrom::Start(at)).await?;
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        open.read_exact(&mut bytes).await?;
        Ok(bytes.into())
    };
    read.await.map_err(|error| unreadable(file, &error))
}

fn unreadable(file: &Path, error: &std::io::Error) -> StoreError {
    StoreError::new(StoreErrorKind::Other, "read", file.display().to_string(), error.to_string())
}
