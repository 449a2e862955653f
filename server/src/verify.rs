//! `pillarbox verify`: is the stored mail whole?

use std::path::Path;

use pillarbox_store::verify::{Finding, verify};

/// Checks a store and prints what is not as it should be.
///
/// # Errors
/// One line: how much was found, or why the store could not be looked at.
pub fn run(dir: &Path) -> Result<(), String> {
    let mut found = 0_usize;
    verify(dir, &mut |finding| {
        if let Finding::Stray(name) = finding {
            println!(
                "note: {} was left by a stopped delivery; the next start removes it",
                name.display()
            );
        } else {
            found += 1;
            println!("{finding}");
        }
    })
    .map_err(|error| error.to_string())?;
    if found == 0 {
        println!("{}: the store is whole", dir.display());
        Ok(())
    } else {
        Err(format!(
            "{}: {found} findings; restore a backup, or ask for help with them",
            dir.display()
        ))
    }
}
