//! Passwords: how they are set, and why a logon fails.

use anyhow::{Context as _, Result};
use contract::{Change, Client, Directory, on_both};

on_both![
    a_reset_takes_effect_and_raises_the_version_by_one,
    a_logon_says_why_it_fails_to_those_only_who_know_the_password,
    a_reset_of_a_disabled_account_takes_effect,
    an_attribute_of_another_name_sets_no_password,
    a_password_that_breaks_the_policy_is_refused_with_its_number,
    a_wrong_old_password_is_told_apart,
    a_name_without_a_password_logs_nobody_on,
    what_is_computed_tells_of_expiry,
];

const OLD: &str = "Us3r-Passw0rd!";
const NEW: &str = "N3w-Passw0rd!";

/// The version of `unicodePwd` in replPropertyMetaData.
async fn version(client: &Client, dn: &str) -> Result<u32> {
    let entry = client.get(dn, &["replPropertyMetaData"]).await?;
    let bytes = entry
        .values("replPropertyMetaData")
        .first()
        .context("no metadata")?;
    let (records, _) = bytes.get(16..).context("short metadata")?.as_chunks::<48>();
    let record = records
        .iter()
        .find(|record| record.starts_with(&0x9005au32.to_le_bytes()));
    let version = record.context("no password was ever set")?[4..8].try_into()?;
    Ok(u32::from_le_bytes(version))
}

async fn a_reset_takes_effect_and_raises_the_version_by_one(directory: &Directory) -> Result<()> {
    let admin = directory.administrator().await?;
    let dn = directory.add_user(&admin, "ada").await?;
    let before = version(&admin, &dn).await?;

    assert_eq!(admin.modify(&dn, &[Change::Reset(NEW)]).await?.0, 0);

    assert_eq!(version(&admin, &dn).await?, before + 1);
    assert_eq!(directory.try_logon("ada", NEW).await?.0, 0);
    // Neither history nor age binds an administrator.
    assert_eq!(admin.modify(&dn, &[Change::Reset(NEW)]).await?.0, 0);
    assert_eq!(version(&admin, &dn).await?, before + 2);
    assert!(!admin.get(&dn, &["unicodePwd"]).await?.has("unicodePwd"));
    Ok(())
}

async fn a_logon_says_why_it_fails_to_those_only_who_know_the_password(
    directory: &Directory,
) -> Result<()> {
    let admin = directory.administrator().await?;
    let dn = directory.add_user(&admin, "ada").await?;
    let refused = |data: &str| (49, data.to_owned());

    assert_eq!(directory.try_logon("ada", OLD).await?.0, 0);
    assert_eq!(
        directory.try_logon("ada", "wr0ng-Passw0rd!").await?,
        refused("52e")
    );
    assert_eq!(directory.try_logon("nobody", OLD).await?.0, 49);
    admin
        .modify(&dn, &[Change::Replace("userAccountControl", "514")])
        .await?;
    assert_eq!(directory.try_logon("ada", OLD).await?, refused("533"));
    assert_eq!(
        directory.try_logon("ada", "wr0ng-Passw0rd!").await?,
        refused("52e")
    );
    admin
        .modify(&dn, &[Change::Replace("userAccountControl", "512")])
        .await?;
    admin
        .modify(&dn, &[Change::Replace("pwdLastSet", "0")])
        .await?;
    assert_eq!(directory.try_logon("ada", OLD).await?, refused("773"));
    admin
        .modify(&dn, &[Change::Replace("pwdLastSet", "-1")])
        .await?;
    // A day after the epoch of the directory's times.
    admin
        .modify(&dn, &[Change::Replace("accountExpires", "864000000000")])
        .await?;
    assert_eq!(directory.try_logon("ada", OLD).await?, refused("701"));
    assert_eq!(
        directory.try_logon("ada", "wr0ng-Passw0rd!").await?,
        refused("52e")
    );
    Ok(())
}

async fn a_reset_of_a_disabled_account_takes_effect(directory: &Directory) -> Result<()> {
    let admin = directory.administrator().await?;
    let dn = directory.add_user(&admin, "ada").await?;
    admin
        .modify(&dn, &[Change::Replace("userAccountControl", "514")])
        .await?;
    admin
        .modify(&dn, &[Change::Replace("pwdLastSet", "0")])
        .await?;

    assert_eq!(admin.modify(&dn, &[Change::Reset(NEW)]).await?.0, 0);

    assert!(
        admin
            .get(&dn, &["pwdLastSet"])
            .await?
            .text("pwdLastSet")
            .parse::<i64>()?
            > 0
    );
    admin
        .modify(&dn, &[Change::Replace("userAccountControl", "512")])
        .await?;
    assert_eq!(directory.try_logon("ada", NEW).await?.0, 0);
    Ok(())
}

async fn an_attribute_of_another_name_sets_no_password(directory: &Directory) -> Result<()> {
    let admin = directory.administrator().await?;
    let dn = directory.add_user(&admin, "ada").await?;

    assert_eq!(
        admin
            .modify(&dn, &[Change::Replace("userPassword", NEW)])
            .await?
            .0,
        0
    );

    assert_eq!(directory.try_logon("ada", NEW).await?.0, 49);
    assert_eq!(directory.try_logon("ada", OLD).await?.0, 0);
    Ok(())
}

async fn a_password_that_breaks_the_policy_is_refused_with_its_number(
    directory: &Directory,
) -> Result<()> {
    let admin = directory.administrator().await?;
    let dn = directory.add_user(&admin, "ada").await?;
    let before = version(&admin, &dn).await?;

    for weak in ["Sh0rt!", "alllowercase"] {
        let (code, text) = admin.modify(&dn, &[Change::Reset(weak)]).await?;
        // Which code it is differs: see `differing.rs`. The number is the same.
        assert!(
            matches!(code, 19 | 53) && text.contains("0000052D"),
            "{code} {text}"
        );
    }
    assert_eq!(version(&admin, &dn).await?, before);
    assert_eq!(directory.try_logon("ada", OLD).await?.0, 0);
    Ok(())
}

async fn a_wrong_old_password_is_told_apart(directory: &Directory) -> Result<()> {
    let admin = directory.administrator().await?;
    let dn = directory.add_user(&admin, "ada").await?;
    let ada = directory.as_user("ada").await?;

    let (code, text) = ada.change_password(&dn, "wr0ng-Passw0rd!", NEW).await?;
    assert!(code == 19 && text.contains("00000056"), "{code} {text}");
    // A day must pass before the owner may change it: the policy's number again.
    let (code, text) = ada.change_password(&dn, OLD, NEW).await?;
    assert!(code == 19 && text.contains("0000052D"), "{code} {text}");
    Ok(())
}

async fn a_name_without_a_password_logs_nobody_on(directory: &Directory) -> Result<()> {
    let admin = directory.administrator().await?;
    directory.add_user(&admin, "ada").await?;

    let client = directory.connect().await?;
    let (code, _) = client.bind("ada@corp.test", "").await?;
    if code == 0 {
        let answer = client.find(&directory.base, "(cn=ada)", &["cn"]).await?;
        assert_eq!((answer.code, answer.entries.len()), (1, 0));
    }
    Ok(())
}

async fn what_is_computed_tells_of_expiry(directory: &Directory) -> Result<()> {
    let admin = directory.administrator().await?;
    let dn = directory.add_user(&admin, "ada").await?;
    let asked = [
        "msDS-User-Account-Control-Computed",
        "msDS-UserPasswordExpiryTimeComputed",
        "msDS-ResultantPSO",
    ];

    let ada = admin.get(&dn, &asked).await?;
    assert_eq!(ada.text(asked[0]), "0");
    assert!(ada.text(asked[1]).parse::<i64>()? > 0);
    assert!(!ada.has(asked[2]));
    admin
        .modify(&dn, &[Change::Replace("pwdLastSet", "0")])
        .await?;
    let ada = admin.get(&dn, &asked).await?;
    assert_eq!(ada.text(asked[0]), "8388608");
    assert_eq!(ada.text(asked[1]), "0");
    admin
        .modify(&dn, &[Change::Replace("userAccountControl", "66048")])
        .await?;
    let ada = admin.get(&dn, &asked).await?;
    assert_eq!(ada.text(asked[1]), i64::MAX.to_string());
    // Computed ones come by name only.
    assert!(!admin.get(&dn, &["*"]).await?.has(asked[0]));
    Ok(())
}
