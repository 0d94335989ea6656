//! Versions: an order that is one, and a text that stays.
#![no_main]

use buildhub_releases::Version;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|texts: (&str, &str, &str)| {
    let (Ok(a), Ok(b), Ok(c)) = (texts.0.parse::<Version>(), texts.1.parse::<Version>(), texts.2.parse::<Version>())
    else {
        return;
    };
    assert_eq!(a.to_string(), texts.0);
    assert!(a.cmp(&a).is_eq());
    assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
    if a <= b && b <= c {
        assert!(a <= c);
    }
});
