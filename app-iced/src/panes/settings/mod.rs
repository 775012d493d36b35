//! Everything that can be set: validated as it is typed, and in force at once unless it says otherwise.
mod fields;
mod model;

use autopilot_host::desk::Pane;
use autopilot_proto::control::v1::{GetPolicyRequest, Policy, PolicyReply, SetPolicyRequest, Trouble};
use iced::{
    Alignment, Task,
    widget::{column, row},
};

use self::{fields::{FIELDS, Field}, model::Models};
use super::{Action, Scene, Screen, Wish, frame};
use crate::{
    design::{Element, Tone, action, caption, card, choice, field, flow, heading, line, page, space, toned},
    face::Answer,
    shell::toast::Toast,
    words::short,
};

/// The pane.
#[derive(Debug, Default)]
pub struct Settings {
    /// As it is in force.
    kept: Option<PolicyReply>,
    /// As it would be.
    draft: Option<Draft>,
    trouble: Option<Trouble>,
    saving: bool,
    models: Models,
}

/// What is typed and chosen.
#[derive(Clone, Debug, PartialEq)]
struct Draft {
    typed: Vec<String>,
    policy: Policy,
    words: String,
}

/// A switch of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// Jobs for anybody.
    Open,
    /// Jobs for us.
    Targeted,
    /// Work or payment first.
    Order,
    /// Requests that name no price get a quote.
    Quote,
}

/// What can happen in it.
#[derive(Clone, Debug)]
pub enum Message {
    /// The policy in force.
    Got(Answer<PolicyReply>),
    /// A number was typed, by its place in the list of fields.
    Typed(usize, String),
    /// Words that are refused were typed.
    Words(String),
    /// A switch was pressed.
    Switched(Switch),
    /// Put it in force.
    Save,
    /// It was, or was refused.
    Saved(Answer<PolicyReply>),
    /// As it is in force.
    Undo,
    /// In the part about the model.
    Model(model::Message),
    /// Another pane.
    Open(Pane),
}

impl Screen for Settings {
    type Message = Message;

    fn opened(&mut self, scene: &Scene<'_>) -> Action<Message> {
        let digest = String::new();
        let asked = scene
            .face
            .ask(move |mut host| async move { host.get_policy(GetPolicyRequest { digest }).await });
        Task::batch([asked.map(Message::Got), Models::ask(scene).map(Message::Model)]).into()
    }

    fn update(&mut self, message: Message, scene: &Scene<'_>) -> Action<Message> {
        match message {
            Message::Got(answer) => self.got(answer),
            Message::Typed(place, text) => self.edit(|draft| {
                if let Some(typed) = draft.typed.get_mut(place) {
                    *typed = text;
                }
            }),
            Message::Words(words) => self.edit(|draft| draft.words = words),
            Message::Switched(switch) => self.edit(|draft| switch.flip(&mut draft.policy)),
            Message::Save => return self.save(scene),
            Message::Saved(answer) => return self.saved(answer),
            Message::Undo => self.draft = self.kept.as_ref().and_then(Draft::of),
            Message::Model(message) => return self.models.update(message, scene).map(Message::Model),
            Message::Open(pane) => return Action::wish(Wish::Open(pane)),
        }
        Action::none()
    }

    fn view<'a>(&'a self, scene: &Scene<'a>) -> Element<'a, Message> {
        match (&self.draft, &self.trouble) {
            (Some(draft), trouble) => self.form(scene, draft, trouble.as_ref()),
            (None, Some(trouble)) => iced::widget::center(frame::broken(trouble)).into(),
            (None, None) => frame::loading(),
        }
    }

    fn actions(&self, _: &Scene<'_>) -> Vec<(String, Message)> {
        [
            ("Settings: save", Message::Save),
            ("Settings: undo what was typed", Message::Undo),
            ("Settings: jobs for anybody, on or off", Message::Switched(Switch::Open)),
            ("Settings: jobs for you, on or off", Message::Switched(Switch::Targeted)),
            ("Settings: work or payment first", Message::Switched(Switch::Order)),
            ("Settings: quotes, on or off", Message::Switched(Switch::Quote)),
        ]
        .into_iter()
        .map(|(label, message)| (label.to_owned(), message))
        .chain(self.models.actions().into_iter().map(|(label, message)| (label, Message::Model(message))))
        .collect()
    }
}

impl Settings {
    fn got(&mut self, answer: Answer<PolicyReply>) {
        match answer {
            Ok(reply) => {
                // What somebody is typing is not taken away.
                if self.draft.is_none() || !self.changed() {
                    self.draft = Draft::of(&reply);
                }
                self.kept = Some(reply);
                self.trouble = None;
            }
            Err(trouble) => self.trouble = Some(trouble),
        }
    }

    fn edit(&mut self, edit: impl FnOnce(&mut Draft)) {
        if let Some(draft) = &mut self.draft {
            edit(draft);
        }
    }

    fn changed(&self) -> bool {
        self.draft != self.kept.as_ref().and_then(Draft::of)
    }

    fn save(&mut self, scene: &Scene<'_>) -> Action<Message> {
        let Some(policy) = self.draft.as_ref().and_then(Draft::policy).filter(|_| !self.saving) else {
            return Action::none();
        };
        self.saving = true;
        let request = SetPolicyRequest { policy: Some(policy) };
        let asked = scene.face.ask(move |mut host| async move { host.set_policy(request).await });
        asked.map(Message::Saved).into()
    }

    fn saved(&mut self, answer: Answer<PolicyReply>) -> Action<Message> {
        self.saving = false;
        match answer {
            Ok(reply) => {
                self.draft = Draft::of(&reply);
                self.kept = Some(reply);
                self.trouble = None;
                Action::wish(Wish::Say(Toast::good("In force for every job from now on")))
            }
            Err(trouble) => {
                self.trouble = Some(trouble);
                Action::none()
            }
        }
    }

    fn form<'a>(&'a self, scene: &Scene<'a>, draft: &'a Draft, trouble: Option<&'a Trouble>) -> Element<'a, Message> {
        let group = |title: &'static str, of: fields::Group| {
            let fields = FIELDS.iter().enumerate().filter(move |(_, field)| field.group == of);
            let fields = fields.map(|(place, one)| {
                iced::widget::container(field(
                    one.name,
                    &draft.typed[place],
                    one.hint,
                    one.read(&draft.typed[place]).err(),
                    move |text| Message::Typed(place, text),
                ))
                .width(250.0)
                .into()
            });
            column![heading(title), flow(fields.collect())].spacing(space::S)
        };
        let changed = self.changed();
        let good = draft.policy().is_some();
        let save = action("Save", (changed && good && !self.saving).then_some(Message::Save));
        let undo = choice("Undo", changed.then_some(Message::Undo));
        let state = match (changed, good) {
            (false, _) => caption("In force"),
            (true, true) => toned("Not saved yet; in force at once for new jobs when it is", Tone::Attention),
            (true, false) => toned("A field is wrong", Tone::Bad),
        };
        let lines = column![
            row![save, undo, state].spacing(space::S).align_y(Alignment::Center),
        ]
        .push(trouble.map(frame::broken))
        .push(card(self.models.view().map(Message::Model)))
        .push(card(group("Price and size of a job", fields::Group::Job)))
        .push(card(switches(&draft.policy)))
        .push(card(group("Limits", fields::Group::Limits)))
        .push(card(column![
            group("Texts", fields::Group::Texts),
            field(
                "Words that are refused, with commas between",
                &draft.words,
                "none",
                None,
                Message::Words
            )
        ].spacing(space::S)))
        .push(card(elsewhere(scene, self.kept.as_ref())));
        page(lines)
    }
}

/// What is set in other places, and where.
fn elsewhere<'a>(scene: &Scene<'a>, kept: Option<&'a PolicyReply>) -> iced::widget::Column<'a, Message> {
    let status = scene.views.status.value.as_ref();
    let of = |text: fn(&autopilot_proto::control::v1::StatusReply) -> &str| status.map_or("–", text);
    column![
        heading("This home"),
        line("Network", of(|status| &status.network)),
        line("Source of blocks", of(|status| &status.chain_source)),
        line("Folder", of(|status| &status.home)),
        line("Policy", kept.map_or("–".to_owned(), |reply| short(&reply.digest))),
        caption("Network and source of blocks stand in config.toml of that folder, and are read at the next start."),
        row![
            choice("Relays", Some(Message::Open(Pane::RelayConnections))),
            choice("Identity and backup", Some(Message::Open(Pane::IdentityKeys))),
        ]
        .spacing(space::S),
    ]
    .spacing(space::XS)
}

fn switches(policy: &Policy) -> iced::widget::Column<'_, Message> {
    let switch = |name: &'static str, value: &'static str, switch: Switch| {
        row![caption(name).width(260.0), choice(value, Some(Message::Switched(switch)))]
            .spacing(space::S)
            .align_y(Alignment::Center)
    };
    let on = |on: bool| if on { "Yes" } else { "No" };
    let order = match policy.order.as_str() {
        "pay-first" => "Payment first",
        _ => "Work first",
    };
    column![
        heading("What is taken"),
        switch("Jobs that anybody may take", on(policy.accept_open), Switch::Open),
        switch("Jobs that name this provider", on(policy.accept_targeted), Switch::Targeted),
        switch("Quotes for requests without a price", on(policy.quote_without_bid), Switch::Quote),
        switch("Order", order, Switch::Order),
    ]
    .spacing(space::XS)
}

impl Switch {
    fn flip(self, policy: &mut Policy) {
        match self {
            Switch::Open => policy.accept_open ^= true,
            Switch::Targeted => policy.accept_targeted ^= true,
            Switch::Quote => policy.quote_without_bid ^= true,
            Switch::Order => {
                policy.order = match policy.order.as_str() {
                    "pay-first" => "work-first".to_owned(),
                    _ => "pay-first".to_owned(),
                }
            }
        }
    }
}

impl Draft {
    fn of(reply: &PolicyReply) -> Option<Draft> {
        let policy = reply.policy.clone()?;
        Some(Draft {
            typed: FIELDS.iter().map(|field: &Field| field.write(&policy)).collect(),
            words: policy.refused_words.join(", "),
            policy,
        })
    }

    /// The whole, where every field is right.
    fn policy(&self) -> Option<Policy> {
        let mut policy = self.policy.clone();
        for (field, typed) in FIELDS.iter().zip(&self.typed) {
            field.set(&mut policy, field.read(typed).ok()?);
        }
        let words = self.words.split(',').map(str::trim).filter(|word| !word.is_empty());
        policy.refused_words = words.map(str::to_owned).collect();
        Some(policy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_becomes_the_policy_or_is_refused_in_its_field() {
        let policy = Policy {
            min_price_msat: 10_000,
            max_in_flight: 1,
            max_input_bytes: 1_000,
            max_output_tokens: 256,
            invoice_expiry_s: 600,
            per_buyer_per_hour: 10,
            global_per_hour: 100,
            unpaid_jobs_per_buyer: 1,
            unpaid_jobs_total: 10,
            order: "work-first".into(),
            refused_words: vec!["casino".into()],
            ..Policy::default()
        };
        let reply = PolicyReply {
            policy: Some(policy.clone()),
            ..PolicyReply::default()
        };
        let mut draft = Draft::of(&reply).unwrap();
        assert_eq!(draft.policy(), Some(policy.clone()), "nothing typed changes nothing");
        draft.typed[0] = "21".into();
        draft.words = "casino, , lottery ".into();
        Switch::Order.flip(&mut draft.policy);
        let edited = draft.policy().unwrap();
        assert_eq!((edited.min_price_msat, edited.order.as_str()), (21_000, "pay-first"));
        assert_eq!(edited.refused_words, ["casino", "lottery"]);
        for (place, field) in FIELDS.iter().enumerate() {
            let mut wrong = draft.clone();
            wrong.typed[place] = "-1".into();
            assert_eq!(wrong.policy(), None, "{}", field.name);
        }
    }
}
