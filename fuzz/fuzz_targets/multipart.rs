//! A form's body: whatever is read of it, written again, is read as the same.
#![no_main]

use buildhub_core::web::multipart;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &[u8])| {
    let (kind, body) = input;
    let _ = multipart::fields(kind, body);
    let Ok(fields) = multipart::fields("multipart/form-data; boundary=x", body) else { return };
    // A name with a quotation mark cannot be written in them, and one that is long may have stood behind shorter words.
    if fields.iter().any(|(name, _)| name.contains('"') || name.len() > 512) {
        return;
    }
    let mut written = String::new();
    for (name, value) in &fields {
        written += &format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    }
    written += "--x--\r\n";
    assert_eq!(multipart::fields("multipart/form-data; boundary=x", written.as_bytes()).as_ref(), Ok(&fields));
});
