//! The Dockerfile, by its text. `make image` builds it. Its bases and labels are tested with the supply chain.

const DOCKERFILE: &str = include_str!("../../../Dockerfile");
const RELEASE: &str = include_str!("../../../.ci/release");

#[test]
fn the_image_runs_as_a_user_without_rights() {
    let user = DOCKERFILE
        .lines()
        .find_map(|line| line.strip_prefix("USER "));
    assert_eq!(user, Some("65532:65532"));
}

#[test]
fn image_and_release_keep_names_and_no_line_numbers() {
    let (_, built) = DOCKERFILE.split_once("objcopy --strip-all").unwrap();
    // Without the last one, a short backtrace has no lines.
    for kept in ["*6leaver*", "*11leaver_core*", "*_short_backtrace*"] {
        assert!(built.contains(&format!("--keep-symbol='{kept}'")), "{kept}");
    }
    assert!(built.contains("COPY --from=build /src/leaver /usr/local/bin/leaver"));
    assert!(RELEASE.contains("objcopy --strip-debug"));
    assert!(RELEASE.contains("objcopy --only-keep-debug"));
}
