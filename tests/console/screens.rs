use super::world;

#[test]
#[ignore = "prints screens to read"]
fn look() {
    for (what, mut app) in [
        ("healthy", world::healthy()),
        ("failing", world::failing()),
        ("stale", world::stale()),
        ("connecting", world::connecting()),
    ] {
        for (w, h) in [(80, 24), (120, 40), (200, 60), (40, 10)] {
            world::resize(&mut app, w, h);
            println!("=== {what} {w}x{h}\n{}", world::text(&app));
        }
    }
}
