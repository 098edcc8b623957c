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
fn image_and_release_keep_no_line_numbers_in_the_binary() {
    for text in [DOCKERFILE, RELEASE] {
        assert!(text.contains("objcopy --strip-debug"), "{text}");
        // The names of functions stay.
        assert!(!text.contains("--strip-all"), "{text}");
    }
    let (_, built) = DOCKERFILE.split_once("objcopy --strip-debug").unwrap();
    assert!(built.contains("COPY --from=build /src/leaver /usr/local/bin/leaver"));
    assert!(RELEASE.contains("objcopy --only-keep-debug"));
}
