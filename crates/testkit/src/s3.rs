//! An S3 server in this process: `s3s` with its file-system back end, over a folder.
//!
//! What it does as S3 does: signatures, ranges, `ListObjectsV2` with delimiter and pages, multipart uploads,
//! preconditions, checksums. Where it differs:
//!
//! * A file laid into a bucket's folder is an object at once. Its `ETag` is the MD5 of its bytes, computed for each
//!   request: large laid files are slow to open.
//! * A written object's `ETag` and checksum are kept in dot files in the root. Laying another file over a written
//!   object leaves them as they were, and a reader that verifies checksums then fails: write it through S3 instead.
//! * A folder is no object, yet reading one answers 500 where S3 answers 404. Empty folders are not listed.
//! * A listing walks every file below the bucket: keep test buckets to some thousands of objects.
//! * A missing bucket reads as a missing key, and a precondition is checked before the body has come, so that two
//!   racing writers can both win.
//! * Symbolic links inside a bucket are listed with the link's own size.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3Result, s3_error};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

/// The access key that the server knows.
pub const ACCESS_KEY_ID: &str = "testkit";
/// The secret of [`ACCESS_KEY_ID`].
pub const SECRET_ACCESS_KEY: &str = "testkit-secret";

/// An S3 server on a free port of this machine, stopped when dropped.
///
/// Requests signed with [`ACCESS_KEY_ID`] may do everything. Unsigned ones may read and list, as in a public bucket,
/// unless its name starts with `private-`.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let server = buildhub_testkit::s3::S3Server::start().await.unwrap();
/// let bucket = server.create_bucket("inventories").unwrap();
/// std::fs::write(bucket.join("manifest.json"), "{}").unwrap();
/// // GET {server.endpoint()}/inventories/manifest.json
/// # });
/// ```
#[derive(Debug)]
pub struct S3Server {
    address: SocketAddr,
    root: PathBuf,
    task: AbortHandle,
    // Removed with the server where it made the folder itself.
    _folder: Option<TempDir>,
}

impl S3Server {
    /// Starts an empty server, whose objects live in a temporary folder.
    pub async fn start() -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let root = folder.path().to_owned();
        Self::serve(root, Some(folder)).await
    }

    /// Serves a folder whose sub-folders are the buckets.
    pub async fn serve_folder(root: impl Into<PathBuf>) -> io::Result<Self> {
        Self::serve(root.into(), None).await
    }

    async fn serve(root: PathBuf, folder: Option<TempDir>) -> io::Result<Self> {
        let store = s3s_fs::FileSystem::new(&root).map_err(|error| io::Error::other(format!("{error:?}")))?;
        let mut builder = S3ServiceBuilder::new(store);
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY_ID, SECRET_ACCESS_KEY));
        builder.set_access(PublicToRead);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(accept(listener, builder.build())).abort_handle();
        Ok(Self { address, root, task, _folder: folder })
    }

    /// The server's URL, for `AWS_ENDPOINT_URL`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The folder whose sub-folders are the buckets.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The settings that lead a program here, by the names of their variables: endpoint, region and credentials.
    pub fn variables(&self) -> Vec<(String, String)> {
        let pairs = [
            ("AWS_ENDPOINT_URL", self.endpoint().as_str().to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY.to_owned()),
        ];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Makes a bucket, and tells its folder: files laid there are its objects.
    pub fn create_bucket(&self, name: &str) -> io::Result<PathBuf> {
        let folder = self.root.join(name);
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// Shows a folder that stands elsewhere as a bucket.
    pub fn link_bucket(&self, name: &str, folder: &Path) -> io::Result<()> {
        std::os::unix::fs::symlink(std::path::absolute(folder)?, self.root.join(name))
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Answers connections until it is aborted, and they with it.
async fn accept(listener: TcpListener, service: S3Service) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((socket, _)) = accepted {
                    connections.spawn(answer(socket, service.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn answer(socket: TcpStream, service: S3Service) {
    // A client that goes away in the middle is the client's affair.
    let _ = socket.set_nodelay(true);
    let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
}

/// Signed requests may do everything, unsigned ones read.
struct PublicToRead;

#[async_trait::async_trait]
impl S3Access for PublicToRead {
    async fn check(&self, request: &mut S3AccessContext<'_>) -> S3Result<()> {
        const READING: [&str; 3] = ["GetObject", "HeadObject", "ListObjectsV2"];
        let private = request.s3_path().get_bucket_name().is_some_and(|name| name.starts_with("private-"));
        if request.credentials().is_some() || (!private && READING.contains(&request.s3_op().name())) {
            Ok(())
        } else {
            Err(s3_error!(AccessDenied, "Access Denied"))
        }
    }
}
