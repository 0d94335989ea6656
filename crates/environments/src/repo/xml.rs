//! Metadata's XML as it comes, an element at a time.

use std::io::{BufReader, Read};

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::NoRoom;
use super::ceiling::Ceiling;

/// Most bytes of one tag or one text.
const PIECE_MAX: u64 = 4 << 20;
/// How deep elements may be in one another: the parser remembers the name of each that is open. Metadata need six.
const DEPTH_MAX: u32 = 64;

/// What is wrong with metadata.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// It is not well formed, or cannot be read.
    #[error("it cannot be read as XML near byte {at}: {reason}")]
    Xml {
        /// Where, in the XML.
        at: u64,
        /// What is said about it.
        reason: String,
    },
    /// Something is missing that must be there.
    #[error("{whose} has no {what}")]
    Missing {
        /// A package's name, or an element.
        whose: String,
        /// What it lacks.
        what: &'static str,
    },
    /// Something is there that cannot be.
    #[error("{what} of {whose} cannot be {value:?}")]
    Value {
        /// A package's name, or an element.
        whose: String,
        /// What it is.
        what: &'static str,
        /// What it says.
        value: String,
    },
    /// A checksum that is not accepted.
    #[error("{whose}: {source}")]
    Checksum {
        /// A package's name, or a file's.
        whose: String,
        /// Why not.
        source: super::ChecksumError,
    },
    /// There is more of it than may be.
    #[error("there are more than {most} {what}")]
    TooMany {
        /// How many may be.
        most: usize,
        /// What of.
        what: &'static str,
    },
    /// There is less memory than they take.
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
}

/// A document that is being read.
pub(super) struct Document<R: Read> {
    reader: Reader<BufReader<Ceiling<R>>>,
    buffer: Vec<u8>,
    /// Bytes of text since an element began or ended. It comes in pieces.
    text: u64,
    /// Elements that are open.
    depth: u32,
}

/// The next thing in a document.
pub(super) enum Node<'a> {
    /// An element begins.
    Open(Element<'a>),
    /// Text, or a piece of it.
    Text(String),
    /// The element of this name ends, without its prefix.
    Close(String),
    /// There is no more.
    End,
}

/// An element that begins.
pub(super) struct Element<'a>(BytesStart<'a>);

impl<R: Read> Document<R> {
    pub(super) fn new(source: R) -> Self {
        let mut reader = Reader::from_reader(BufReader::with_capacity(128 << 10, Ceiling::new(source, PIECE_MAX)));
        reader.config_mut().expand_empty_elements = true;
        Self { reader, buffer: Vec::new(), text: 0, depth: 0 }
    }

    pub(super) fn next(&mut self) -> Result<Node<'_>, MetadataError> {
        loop {
            self.buffer.clear();
            self.reader.get_mut().get_mut().renew(PIECE_MAX);
            let at = self.reader.buffer_position();
            let fault = |reason: String| MetadataError::Xml { at, reason };
            let event = self.reader.read_event_into(&mut self.buffer).map_err(|error| fault(error.to_string()))?;
            // The buffer is handed out with what it holds, so the loop may go on only where nothing is.
            match event {
                Event::Start(start) => {
                    self.text = 0;
                    self.depth += 1;
                    if self.depth > DEPTH_MAX {
                        return Err(fault(format!("elements are more than {DEPTH_MAX} deep")));
                    }
                    return Ok(Node::Open(Element(start.into_owned())));
                }
                Event::End(end) => {
                    self.text = 0;
                    self.depth -= 1;
                    return Ok(Node::Close(end.local_name().as_ref().to_owned()));
                }
                Event::Text(text) => return piece(&mut self.text, at, text.xml10_content().into_owned()),
                Event::CData(text) => return piece(&mut self.text, at, text.xml10_content().into_owned()),
                Event::GeneralRef(entity) => {
                    let character = entity.resolve_char_ref().map_err(|error| fault(error.to_string()))?;
                    let text = match character {
                        Some(character) => character.to_string(),
                        None => quick_xml::escape::resolve_predefined_entity(&entity)
                            .ok_or_else(|| fault(format!("there is no entity &{};", &*entity)))?
                            .to_owned(),
                    };
                    return piece(&mut self.text, at, text);
                }
                Event::Eof => return Ok(Node::End),
                Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
            }
        }
    }
}

/// A piece of a text, of which there may be many, with comments between them.
fn piece<'a>(so_far: &mut u64, at: u64, text: String) -> Result<Node<'a>, MetadataError> {
    *so_far += text.len() as u64;
    if *so_far > PIECE_MAX {
        return Err(MetadataError::Xml { at, reason: format!("one text has more than {PIECE_MAX} bytes") });
    }
    Ok(Node::Text(text))
}

impl Element<'_> {
    /// Its name, without its prefix.
    pub(super) fn name(&self) -> String {
        self.0.local_name().as_ref().to_owned()
    }

    /// The value of an attribute.
    pub(super) fn attribute(&self, name: &str) -> Result<Option<String>, MetadataError> {
        let fault = |reason: String| MetadataError::Xml { at: 0, reason: format!("<{}>: {reason}", self.name()) };
        let found = self.0.try_get_attribute(name).map_err(|error| fault(error.to_string()))?;
        let value = found.map(|attribute| attribute.normalized_value(XmlVersion::Explicit1_0));
        Ok(value.transpose().map_err(|error| fault(error.to_string()))?.map(std::borrow::Cow::into_owned))
    }
}
