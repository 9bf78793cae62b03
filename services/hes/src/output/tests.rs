//! How results look: golden texts, narrow and wide.

use jiff::Timestamp;

use super::*;

pub(crate) fn screen(width: Option<u16>) -> Screen {
    Screen {
        width,
        colours: false,
        unicode: true,
        now: Timestamp::from_second(1_800_000_000).unwrap(),
    }
}

fn people() -> Table {
    let mut table = Table::new(["ID", "NAME", "STATE", "ACCOUNTS", "MAIL"]);
    for (name, state, mail) in [
        ("Ada Lovelace", "active", "ada@corp.example.com"),
        ("Žofie Nováková", "inactive", ""),
        (
            "名前",
            "active",
            "a.very.long.mailbox.name.indeed@department.corp.example.com",
        ),
    ] {
        table.row([
            "8d0b2f0c-5a4e-4f6f-9d0a-6c1f2b3a4d5e".into(),
            name.into(),
            Cell::toned(state, Tone::Good),
            "corp".into(),
            mail.into(),
        ]);
    }
    table
}

fn no_line_is_wider(text: &str, width: usize) {
    for line in text.lines() {
        assert!(console::measure_text_width(line) <= width, "{line}");
        assert_eq!(line, line.trim_end());
    }
}

#[test]
fn a_wide_table_has_a_line_for_each_row() {
    let text = people().render(&screen(Some(120)));
    assert_eq!(
        text,
        "\
ID                                    NAME            STATE     ACCOUNTS  MAIL
8d0b2f0c-5a4e-4f6f-9d0a-6c1f2b3a4d5e  Ada Lovelace    active    corp      ada@corp.example.com
8d0b2f0c-5a4e-4f6f-9d0a-6c1f2b3a4d5e  Žofie Nováková  inactive  corp      -
8d0b2f0c-5a4e-4f6f-9d0a-6c1f2b3a4d5e  名前            active    corp      a.very.long.mailbox.name.indeed@department.cor
                                                                          p.example.com"
    );
    no_line_is_wider(&text, 120);
}

#[test]
fn a_table_too_narrow_for_its_columns_becomes_a_block_for_each_row() {
    let text = people().render(&screen(Some(60)));
    assert_eq!(
        text,
        "\
id        8d0b2f0c-5a4e-4f6f-9d0a-6c1f2b3a4d5e
name      Ada Lovelace
state     active
accounts  corp
mail      ada@corp.example.com

id        8d0b2f0c-5a4e-4f6f-9d0a-6c1f2b3a4d5e
name      Žofie Nováková
state     inactive
accounts  corp

id        8d0b2f0c-5a4e-4f6f-9d0a-6c1f2b3a4d5e
name      名前
state     active
accounts  corp
mail      a.very.long.mailbox.name.indeed@department.corp.ex
          ample.com"
    );
    no_line_is_wider(&text, 60);
}

#[test]
fn a_pipe_gets_whole_lines_and_no_colours() {
    let text = people().render(&screen(None));
    assert_eq!(text.lines().count(), 4);
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn colours_are_shown_only_where_they_are_wanted() {
    let mut coloured = screen(Some(120));
    coloured.colours = true;
    let text = people().render(&coloured);
    assert!(text.contains('\u{1b}'));
    let plain = console::strip_ansi_codes(&text);
    let plain: Vec<&str> = plain.lines().map(str::trim_end).collect();
    let expected = people().render(&screen(Some(120)));
    assert_eq!(plain, expected.lines().collect::<Vec<_>>());
}

#[test]
fn a_record_wraps_its_values_beside_its_labels() {
    let mut record = Record::default();
    record
        .line("id", "corp")
        .line(
            "held because",
            "12 people would leave the group; the limit is 3 of the 40 that are active",
        )
        .line_if("filter", "");
    assert_eq!(
        record.render(&screen(Some(60))),
        "\
id            corp
held because  12 people would leave the group; the limit is
              3 of the 40 that are active"
    );
}
