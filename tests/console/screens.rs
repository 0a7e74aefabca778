use super::world;

#[test]
#[ignore = "prints screens to read"]
fn look() {
    let only = std::env::var("LOOK").unwrap_or_default();
    for (what, build) in [("healthy", world::healthy as fn() -> vakt::app::App), ("failing", world::failing), ("stale", world::stale), ("connecting", world::connecting), ("large", world::large)] {
        for keys in ["1", "2", "6", "7", "6 enter", "2 j j j j j enter", "7 enter", "?", ":"] {
            for (w, h) in [(80, 24), (120, 40), (200, 60), (40, 10)] {
                let title = format!("=== {what} [{keys}] {w}x{h}");
                if !title.contains(&only) { continue; }
                let mut app = build();
                world::resize(&mut app, w, h);
                world::press(&mut app, keys);
                println!("{title}\n{}", world::text(&app));
            }
        }
    }
}
