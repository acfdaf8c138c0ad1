use super::codec::{parse, settings};
use super::detect::{Class, Content, detect};
use crate::segment::find;

const WIDTH: i32 = 24;
const HEIGHT: i32 = 20;

/// Images of a disc each, at its own place in a margin, on a dark ground with some noise.
fn images(count: i32) -> Vec<u8> {
    let mut state = 1_u32;
    let mut random = move |most: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((state >> 16) % most) as i32
    };
    let mut pixels = Vec::new();
    for _ in 0..count {
        let (left, top, size) = (9 + random(6), 7 + random(6), 16 + random(14));
        for y in 0..HEIGHT {
            for x in 0..WIDTH {
                let away = (x - left).pow(2) + (y - top).pow(2);
                let level = (255 - 240 * away / size).max(random(3));
                pixels.push(level.clamp(0, 255) as u8);
            }
        }
    }
    pixels
}

fn idx(sides: &[u32], pixels: &[u8]) -> Vec<u8> {
    let mut data = vec![0, 0, 8, sides.len() as u8];
    data.extend(sides.iter().flat_map(|side| side.to_be_bytes()));
    data.extend(pixels);
    data
}

fn npy(dictionary: &str, pixels: &[u8]) -> Vec<u8> {
    let header = format!("{dictionary:<117}\n");
    let length = (header.len() as u16).to_le_bytes();
    let mut data = [b"\x93NUMPY\x01\0", &length[..]].concat();
    data.extend(header.bytes());
    data.extend(pixels);
    data
}

fn grey(plane: i32, offset: u32) -> Content {
    Content {
        class: Class::Grey,
        stride: WIDTH as u16,
        plane: plane as u32,
        offset,
    }
}

/// Whether a model can be made for content.
fn is_sound(content: Content) -> bool {
    parse(&settings(6, content)).is_ok_and(|(_, read)| read == content)
}

#[test]
fn headers_of_images_are_read() {
    let pixels = images(60);
    let plane = WIDTH * HEIGHT;
    let (width, height) = (WIDTH as u32, HEIGHT as u32);
    let data = idx(&[60, height, width], &pixels);
    assert_eq!(detect(&data), grey(plane, 16));
    assert_eq!(detect(&data[..9000]), grey(plane, 16), "a part of it");
    let data = idx(&[60 * height, width], &pixels);
    assert_eq!(detect(&data), grey(0, 12));
    for (kind, shape, plane) in [
        ("|u1", "(60, 20, 24)", plane),
        ("<u1", "(60,20,24)", plane),
        ("uint8", "(1200, 24)", 0),
    ] {
        let text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
        assert_eq!(detect(&npy(&text, &pixels)), grey(plane, 128));
    }
}

#[test]
fn headers_that_do_not_fit_are_not_believed() {
    let pixels = images(60);
    let (width, height) = (WIDTH as u32, HEIGHT as u32);
    for sides in [
        [60, width, height],
        [59, height, width],
        [60, height, 0],
        [0, height, width],
        [u32::MAX, u32::MAX, u32::MAX],
        [1, u32::MAX, 65_537],
        [1, u32::MAX, 1],
    ] {
        let found = detect(&idx(&sides, &pixels));
        assert!(
            found.class != Class::Grey || found.offset == 0,
            "{sides:?} {found:?}"
        );
    }
    for text in [
        "{'descr': '<u2', 'fortran_order': False, 'shape': (60, 20, 24), }",
        "{'descr': '|u1', 'fortran_order': True, 'shape': (60, 20, 24), }",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (28800,), }",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (60, 20, 24",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999, 2, 2), }",
    ] {
        assert_eq!(detect(&npy(text, &pixels)).offset, 0, "{text}");
    }
}

#[test]
fn no_header_cut_short_or_damaged_stops_detection() {
    let pixels = images(3);
    let text = "{'descr': '|u1', 'fortran_order': False, 'shape': (3, 20, 24), }";
    for data in [
        idx(&[3, HEIGHT as u32, WIDTH as u32], &pixels),
        npy(text, &pixels),
    ] {
        for len in 0..300 {
            assert!(is_sound(detect(&data[..len])));
        }
        for at in 0..140 {
            for value in [0, 1, 127, 255] {
                let mut damaged = data.clone();
                damaged[at] = value;
                assert!(is_sound(detect(&damaged)));
            }
        }
    }
}

#[test]
fn rows_and_images_are_found_without_a_header() {
    let pixels = images(100);
    let plane = WIDTH * HEIGHT;
    assert_eq!(detect(&pixels), grey(plane, 0));
    assert_eq!(detect(&pixels[plane as usize / 3..]), grey(plane, 0));
}

#[test]
fn pixels_that_are_letters_too_are_no_text() {
    let pixels: Vec<u8> = images(100).iter().map(|&pixel| 40 + pixel / 4).collect();
    assert_eq!(detect(&pixels), grey(WIDTH * HEIGHT, 0));
    let letters: Vec<u8> = (0..9000_u32)
        .map(|i| b"ACGT"[(i * i / 7 % 4) as usize])
        .collect();
    assert_eq!(detect(&letters).class, Class::Text);
}

#[test]
fn what_is_not_an_image_is_not_taken_for_one() {
    // Two-byte numbers and colours that change slowly, in rows.
    let samples: Vec<u8> = (0..9000_i32)
        .flat_map(|i| ((i * 37 % 4000 - 2000).pow(2) / 200).to_le_bytes()[..2].to_vec())
        .collect();
    assert_ne!(detect(&samples).class, Class::Grey);
    let colours: Vec<u8> = images(60)
        .iter()
        .flat_map(|&p| [p, p / 2, 255 - p])
        .collect();
    assert_ne!(detect(&colours).class, Class::Grey);
    let constant = idx(&[60, 20, 24], &vec![7; 28_800]);
    assert_ne!(detect(&constant).class, Class::Grey);
}

#[test]
fn images_take_less_than_other_bytes() {
    let cm = find("cm", 1).unwrap();
    // Flat ones with a ramp, each at a brightness of its own.
    let pixels = (0..).zip(images(100)).map(|(at, pixel)| {
        let (x, y, image) = (at % WIDTH, at / WIDTH % HEIGHT, at / WIDTH / HEIGHT);
        pixel / 4 + (image * 37 % 150 + x + y) as u8
    });
    let pixels: Vec<u8> = pixels.collect();
    let data = idx(&[100, HEIGHT as u32, WIDTH as u32], &pixels);
    let coded = |settings: &[u8]| {
        let mut encoder = (cm.encoder)(settings, data.len() as u64).unwrap();
        encoder.write(&data).unwrap();
        encoder.finish_chunk().unwrap().len()
    };
    for level in [6, 8] {
        let images = coded(&(cm.settings)(level, &data));
        let plain = coded(&settings(level, Content::new(Class::Binary, WIDTH as u16)));
        assert!(images * 4 < plain * 3, "{images} {plain}");
    }
}
