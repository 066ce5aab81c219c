use super::*;

#[test]
fn groups_environments_and_categories() {
    let text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE comps PUBLIC \"-//Red Hat, \
        Inc.//DTD Comps info//EN\" \"comps.dtd\">\n<comps><group><id>core</id><name>Core</name>\
        <name xml:lang=\"de\">Kern</name><default>true</default><uservisible>false</uservisible>\
        <packagelist><packagereq type=\"mandatory\">bash</packagereq><packagereq type=\"conditional\" \
        requires=\"x\">y</packagereq></packagelist></group><environment><id>e</id><grouplist>\
        <groupid>core</groupid></grouplist><optionlist><groupid default=\"true\">o</groupid>\
        </optionlist></environment><category><id>c</id><grouplist><groupid>core</groupid></grouplist>\
        </category><langpacks><match name=\"a\" install=\"a-%s\"/></langpacks></comps>";
    let comps = read("c", text.as_bytes(), &XmlLimits::default()).unwrap();
    let group = &comps.groups[0];
    assert_eq!(
        (group.id.as_str(), group.name.text.as_str()),
        ("core", "Core")
    );
    assert_eq!(group.name.translations["de"], "Kern");
    assert!(group.default && !group.user_visible);
    assert_eq!(group.packages[1].kind, PackageKind::Conditional);
    assert_eq!(group.packages[1].requires.as_deref(), Some("x"));
    assert_eq!(comps.environments[0].options, [("o".to_owned(), true)]);
    assert_eq!(comps.categories[0].groups, ["core"]);
    assert_eq!(comps.langpacks, [("a".to_owned(), "a-%s".to_owned())]);
}

#[test]
fn row_43_a_doctype_with_an_internal_subset_is_refused_in_comps_too() {
    let text = "<!DOCTYPE comps [<!ENTITY a \"b\">]><comps/>";
    assert!(read("c", text.as_bytes(), &XmlLimits::default()).is_err());
}

#[test]
fn what_is_written_is_read_back_the_same() {
    let text = "<comps><group><id>g</id><name>G &lt;</name><name xml:lang=\"de\">Gr</name>\
        <description>d</description><default>true</default><uservisible>false</uservisible>\
        <display_order>7</display_order><langonly>de</langonly><packagelist>\
        <packagereq type=\"conditional\" requires=\"r\">p</packagereq><packagereq type=\"optional\">q</packagereq>\
        </packagelist></group><environment><id>e</id><name>E</name><grouplist><groupid>g</groupid></grouplist>\
        <optionlist><groupid default=\"true\">h</groupid></optionlist></environment><category><id>c</id>\
        <grouplist><groupid>g</groupid></grouplist></category><langpacks><match name=\"a\" install=\"a-%s\"/>\
        </langpacks></comps>";
    let first = read("c", text.as_bytes(), &XmlLimits::default()).unwrap();
    let again = read("c", super::write(&first).as_bytes(), &XmlLimits::default()).unwrap();
    assert_eq!(again, first);
}
