//! A reader who follows a link arrives, in the checkout and on the site.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::pages::{all, checkout, page, pages_in};

/// Returns the file that a link means, by its path in the checkout.
fn target(from: &Path, link: &str) -> PathBuf {
    let mut path = from.parent().unwrap().to_owned();
    for part in Path::new(link).components() {
        match part {
            Component::ParentDir => assert!(path.pop(), "{link} leaves the checkout"),
            other => path.push(other),
        }
    }
    path
}

#[test]
fn every_link_between_pages_arrives() {
    let mut broken = vec![];
    for from in all() {
        for link in &from.links {
            if link.contains(':') {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let to = if file.is_empty() {
                from.path.clone()
            } else {
                target(&from.path, file)
            };
            let arrives = checkout(to.to_str().unwrap()).exists();
            let is_on_page = || {
                page(to.to_str().unwrap())
                    .anchors
                    .iter()
                    .any(|name| name == anchor)
            };
            if !arrives || !anchor.is_empty() && !is_on_page() {
                broken.push(format!("{}: {link}", from.path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere: {broken:#?}");
}

#[test]
fn links_to_other_sites_are_encrypted() {
    let plain: Vec<String> = all()
        .iter()
        .flat_map(|from| from.links.iter())
        .filter(|link| {
            link.contains(':') && !link.starts_with("https:") && !link.starts_with("mailto:")
        })
        .cloned()
        .collect();
    assert!(plain.is_empty(), "{plain:#?}");
}

#[test]
fn the_site_has_every_page_and_needs_no_other_file() {
    let summary: BTreeSet<PathBuf> = page("docs/SUMMARY.md")
        .links
        .iter()
        .map(|link| Path::new("docs").join(link))
        .collect();
    let mut on_disk = BTreeSet::new();
    let mut leave_the_site = vec![];
    for page in pages_in("docs") {
        for link in page.links.iter().filter(|link| !link.contains(':')) {
            let file = link.split('#').next().unwrap();
            if !file.is_empty() && !target(&page.path, file).starts_with("docs") {
                leave_the_site.push(format!("{}: {link}", page.path.display()));
            }
        }
        if page.path != Path::new("docs/SUMMARY.md") {
            on_disk.insert(page.path);
        }
    }
    assert_eq!(
        summary, on_disk,
        "docs/SUMMARY.md lists other pages than docs/ has"
    );
    assert!(leave_the_site.is_empty(), "{leave_the_site:#?}");
}
