"""What the bot says in its own words, in English and in Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Strings:
    """The catalogue of one language. Names in braces are filled in with `str.format`."""

    looking: str
    sources: str
    nearest: str
    extracted: str
    generated: str
    page: str
    good: str
    bad: str
    empty: str
    busy: str
    failed: str
    no_index: str
    not_admin: str
    reindex_begun: str
    reindex_stage: str
    reindex_done: str
    reindex_failed: str
    learn_begun: str
    learn_stage: str
    learn_again: str
    learn_busy: str
    learn_failed: str
    learn_done: str
    learn_missing: str
    learn_enough: str
    learn_outcomes: Mapping[str, str]
    learn_counted: Mapping[str, str]
    learners: Mapping[str, str]
    learn_pictures: str
    learn_last: str
    replay_usage: str
    replay_begun: str
    replay_stage: str
    replay_busy: str
    replay_failed: str
    replay_done: str
    replay_line: str
    replay_changes: Mapping[str, str]
    replay_files: str
    status: str
    help: str

    updated_today: str
    updated_yesterday: str
    updated_days: str
    updated_months: str
    updated_years: str
    owner: str
    curated: str
    cut_short: str
    searched: str
    searched_sources: str
    whom_to_ask: str
    why: str
    share: str
    keep: str
    delete: str
    delete_sure: str
    cancel: str
    ask_expert: str
    retry: str
    why_title: str
    why_working: str
    why_share: str
    why_measure: str
    close: str
    too_late: str
    gone: str
    shared: str
    not_shareable: str
    not_member: str
    kept: str
    not_yours: str
    escalation: str
    escalated: str

    working: str
    stopped: str
    muted: str
    ask_own: str
    welcome: str
    attachment_used: str
    attachment_unread: str
    prompts_title: str
    prompts: tuple[str, ...]

    unknown_command: str
    nearest_command: str
    commands: Mapping[str, str]
    command_buttons: Mapping[str, str]
    command_failed: str
    stages: Mapping[str, str]
    reindex_busy: str
    documents_added: str
    documents_changed: str
    documents_removed: str
    documents_failed: str
    and_more: str
    models_title: str
    model_kinds: Mapping[str, str]
    generation_served: str
    generation_before: str
    generation: str
    rollback_hint: str
    learned_title: str
    learned_run: str
    trained_kinds: Mapping[str, str]
    run_serving: str
    run_waiting: str
    run_retired: str
    run_base: str
    deployments_title: str
    trial_title: str
    trial_modes: Mapping[str, str]
    trial_arms: Mapping[str, str]
    trial_arm: str
    trial_verdicts: Mapping[str, str]
    trial_agreement: str
    trial_publish: str
    trial_publish_confirm: str
    trial_stop: str
    trial_stop_confirm: str
    trial_cancel: str
    trial_none: str
    trial_published: str
    trial_stopped: str
    trial_taken_back: str
    model_rolled_back: str
    deployment: Mapping[str, str]
    rolled_back: str
    documents_differ: str
    documents_same: str
    mute_unclear: str
    muted_for: str
    muted_off: str
    minutes: str
    hours: str
    days: str
    config_title: str
    config_save: str
    config_cancel: str
    config_labels: Mapping[str, str]
    config_hints: Mapping[str, str]
    config_options: Mapping[str, str]
    config_all: str
    config_usual: str
    config_saved: str
    config_unknown: str
    config_only_channels: str
    config_too_late: str
    config_threshold_wrong: str
    config_sources_wrong: str
    report_title: str
    report_begun: str
    report_empty: str
    report_labels: Mapping[str, str]
    report_languages: str
    report_language: str
    report_gaps: str
    report_gap: str
    report_untold: str
    report_stale: str
    report_stale_source: str
    report_disliked: str
    report_disliked_source: str
    report_history: str
    report_era: str
    report_interval: str
    report_none: str
    report_unknown: str
    report_pictures: str
    report_no_pictures: str
    report_summary: str
    home_admin: str

    why_bad_title: str
    why_bad_intro: str
    why_bad: str
    reasons: Mapping[str, str]
    right_answer: str
    right_document: str
    no_document: str
    other_document: str
    modal_send: str
    modal_skip: str
    why_bad_note: str
    why_bad_button: str
    accept_note: str
    accept_button: str
    no_reply_here: str
    proposed: str
    no_question_here: str
    edit_title: str
    edit_question: str
    edit_answer: str
    approve: str
    edit: str
    reject: str
    review_approved: str
    review_rejected: str
    review_retired: str
    served_title: str
    retire: str
    retire_sure: str
    retire_what: str
    review_taken: str
    review_gone: str
    review_too_late: str
    queue_title: str
    queue_intro: str
    queue_empty: str
    queue_more: str
    queue_document: str
    proposal_sources: Mapping[str, str]
    home_questions: str
    home_no_questions: str
    home_votes: str
    home_rated_good: str
    home_rated_bad: str
    home_is_fixed: str
    home_fixed: str
    home_ask_again: str
    home_privacy: str
    learning_on: str
    learning_off: str
    learn_start: str
    learn_stop: str
    notify_unset: str
    notify_on: str
    notify_off: str
    notify_start: str
    notify_stop: str
    forget_intro: str
    forget: str
    forget_sure: str
    forget_what: str
    forgotten: str
    fixed_news: str
    fixed_unsaid: str


ENGLISH = Strings(
    looking="Looking through the documents…",
    sources="Sources",
    nearest="Nearest in the documents",
    extracted="Quoted from the documents · confidence {confidence:.0%}",
    generated="Written from the documents · confidence {confidence:.0%}",
    page="p. {page}",
    good="Helpful",
    bad="Not helpful",
    empty="Ask me a question and I will look for the answer in the documents. "
    "For example: *How many days of leave do I have?*",
    busy="Too many questions are waiting just now, so I did not take this one. "
    "Please ask it again in a few minutes.",
    failed="Sorry, something went wrong while I was answering. "
    "An admin can look it up under the id `{error_id}`.",
    no_index="I have no documents to look in yet. An admin can load them with "
    "`whimbrel index FOLDER` on the machine I run on. (id `{error_id}`)",
    not_admin="Only admins can do that. Please ask one of them to do it for you.",
    reindex_begun="Reindexing has begun; I show the progress in our direct messages.",
    reindex_stage="Reindexing: {stage} {done} of {total}",
    reindex_done="Reindexing is done in {seconds:.0f} s: {added} new, {changed} changed, "
    "{removed} gone, {unchanged} as they were; {passages} passages.",
    reindex_failed="Reindexing failed; I go on with the documents as they were. "
    "{reason} (id `{error_id}`)",
    learn_begun="Learning has begun; I show the progress in our direct messages.",
    learn_stage="Learning: {line}",
    learn_again="Learning, again from the beginning after a restart: {line}",
    learn_busy="I am learning already.",
    learn_failed="Learning failed; what answers now has not changed. {reason} (id `{error_id}`)",
    learn_done="Learned from data set `{dataset}` in {minutes} min; {held_out} questions were held "
    "out to judge by.",
    learn_missing="{missing} more needed: {found} of {needed} {of}",
    learn_enough="{found} {of}",
    learn_outcomes={
        "too_few": "not enough yet",
        "known": "nothing new since the last try",
        "ready": "enough, not its turn",
        "refused": "not tried",
        "broken_off": "broken off",
        "stopped": "not better",
        "passed": "better, not published",
        "on_trial": "better, answers a share of the threads",
        "published": "better, serves now",
    },
    learn_counted={
        "questions": "questions with a passage that answers them",
        "held_out": "questions held out, whose answers experts approved",
        "judgements": "rated answers",
        "labels": "passages known to belong to a question, or not to",
        "answers": "answers that may be imitated",
        "preferences": "better answers beside worse ones",
    },
    learners={
        "map": "Retriever, by a map",
        "retriever": "Retriever, as a whole",
        "reranker": "Reranker",
        "abstention": "Judge",
        "triage": "Triage",
        "generator": "Generator",
        "preferences": "Generator, by preferences",
    },
    learn_pictures="What the gate measured",
    learn_last="Last learned {date} UTC. {outcomes}.",
    replay_usage="Please name a model of `/whimbrel models`: `/whimbrel replay RUN`.",
    replay_begun="I am asking the last questions again; I show the progress in our direct "
    "messages.",
    replay_stage="Asking again: {line}",
    replay_busy="I am asking questions again already.",
    replay_failed="Asking again failed. {reason} (id `{error_id}`)",
    replay_done="I asked the last {asked} questions again. With {candidate} there would be:",
    replay_line="• {share:.0%} ({count}) {change}",
    replay_changes={
        "same": "the same answer",
        "words": "other words from the same passages",
        "passages": "an answer from other passages",
        "answered": "an answer where there is none now",
        "silent": "no answer where there is one now",
    },
    replay_files="Which questions these are stands in `{folder}` on the machine I run on.",
    status="{waiting} waiting, {doing} in progress, {dead} given up. {turns} questions answered.",
    help="*Ask* me in a direct message, by mentioning me in a channel, or with `/ask` so that only "
    "you see the answer.",
    updated_today="updated today",
    updated_yesterday="updated yesterday",
    updated_days="updated {n} days ago",
    updated_months="updated {n} months ago",
    updated_years="updated {n} years ago",
    owner="owner: {owner}",
    curated="Written by {author} and approved by an expert",
    cut_short="Stopped before the end",
    searched="Documents searched: {n}.",
    searched_sources="Documents searched: {n}, in {sources}.",
    whom_to_ask="{owners} may know: the nearest documents are theirs.",
    why="Why this answer?",
    share="Share here",
    keep="Keep in my messages",
    delete="Delete",
    delete_sure="The answer disappears for everybody.",
    cancel="Cancel",
    ask_expert="Ask an expert",
    retry="Try again",
    why_title="Why this answer?",
    why_working="Looking at each passage…",
    why_share="Without this passage the answer would lose {share:.0%} of its support.",
    why_measure="Each passage was left out in turn, to see how much worse the others support what "
    "the answer says. A passage whose facts stand in another one too counts little. This tells "
    "where the answer stands in the documents, not what went on in the model.",
    close="Close",
    too_late="That took too long; please click again.",
    gone="That answer is no longer kept.",
    shared="Asked in private and shared here: *{question}*",
    not_shareable="I did not share this answer: it is made of documents that not everybody in "
    "this channel may read.",
    not_member="I am not in this channel. Invite me with `/invite`, then share the answer.",
    kept="You kept this answer: *{question}*",
    not_yours="Only the person who asked, or an admin, can delete an answer.",
    escalation="The documents do not hold the answer to this question: *{question}*\n"
    "Can you help? Mark the reply that answers it with :{emoji}:, and I will know it next time.",
    escalated="An expert has been asked in this thread already.",
    working="is looking through the documents…",
    stopped="Stopped.",
    muted="I am muted in this channel until {until} UTC. "
    "Ask me in a direct message or with `/ask` instead.",
    ask_own="That message is mine; I can only be asked about other people's.",
    welcome="Glad to help. Ask me whenever you look for something in the documents.",
    attachment_used="Read with the question: {names}",
    attachment_unread="Not read: {names}",
    prompts_title="Ask me, for example",
    prompts=(
        "What can I ask you about?",
        "How many days of leave do I have?",
        "How do I claim travel expenses?",
    ),
    unknown_command="I do not know `{name}`. ",
    nearest_command="Did you mean `/whimbrel {name}`?",
    commands={
        "status": "shows how busy I am",
        "reindex": "reads the documents that changed, or all of them with `full`",
        "config": "sets how I behave in this channel",
        "report": "tells how well questions are answered, and which are not",
        "learn": "learns from the ratings so far; `dry` only tells what they are enough for",
        "replay": "asks the last questions again, and tells what a learned model would change",
        "models": "shows which models and which index answer",
        "rollback": "goes back to the index, or to the learned model of a kind, as it was before",
        "trial": "tells how the model on trial does, lets it answer everybody, or stops it",
        "mute": "keeps me quiet in this channel for an hour or as long as you say",
        "help": "shows this",
    },
    command_buttons={
        "config": "Set up this channel",
        "status": "Status",
        "report": "Report",
        "models": "Models",
    },
    command_failed="That did not work. {reason} (id `{error_id}`)",
    stages={"reading": "read", "embedding": "embedded", "writing": "written"},
    reindex_busy="The documents are being reindexed already. Please try again when that is done.",
    documents_added="New",
    documents_changed="Changed",
    documents_removed="Gone",
    documents_failed="Could not be read",
    and_more="… and {count} more",
    models_title="What answers now",
    model_kinds={
        "embedder": "Finds passages",
        "reranker": "Orders passages",
        "judge": "Judges whether they answer",
        "generator": "Writes answers",
    },
    generation_served="Index in use",
    generation_before="Index before it",
    generation="`{name}` of {date} UTC: {documents} documents, {passages} passages ({embedder})",
    rollback_hint="`/whimbrel rollback` goes back to the index before.",
    learned_title="Learned from ratings",
    learned_run="{kind} `{id}` of {date}, from data set `{dataset}`: {state}",
    trained_kinds={
        "retriever": "Retriever",
        "reranker": "Reranker",
        "judge": "Judge",
        "triage": "Triage",
        "generator": "Generator",
    },
    run_serving="serves",
    run_waiting="does not serve",
    run_retired="taken back for good",
    run_base="the model as configured",
    deployments_title="Changes of learned models",
    trial_title="On trial: {kind} `{run}`, since {date} UTC, beside {before}",
    trial_modes={
        "shadow": "It answers for nobody to see, while nobody waits for me.",
        "share": "It answers in {share} of the threads.",
        "all": "It answers everybody by now; I still take it back if people like it less.",
    },
    trial_arms={"candidate": "On trial", "served": "Serving"},
    trial_arm="{arm}: {questions} questions, {answered} answered; {rated} ratings, {good} good",
    trial_verdicts={
        "better": "People rate it better.",
        "worse": "People rate it worse.",
        "unsure": "There are not enough ratings yet to tell them apart.",
    },
    trial_agreement="Compared in {questions} questions: {overlap} of the passages found are the "
    "same, {gained} more answered, {lost} no longer answered",
    trial_publish="Let it answer everybody",
    trial_publish_confirm="From the next question on it answers in every thread.",
    trial_stop="Stop it",
    trial_stop_confirm="From the next question on it answers nobody any more.",
    trial_cancel="Cancel",
    trial_none="No model is on trial, or that trial is over already.",
    trial_published="{kind} `{run}` answers everybody from the next question on.",
    trial_stopped="{kind} `{run}` is not on trial any more; what served before answers everything.",
    trial_taken_back="I have taken back {kind} `{run}`: {reason}. What served before answers "
    "everything again.",
    model_rolled_back="From the next question on {after} serves as {kind} again, not {before}.",
    deployment={
        "publish": "{date} UTC, {kind}: {before} → {after} ({reason})",
        "rollback": "{date} UTC, {kind}: {before} → {after} ({reason})",
        "trial": "{date} UTC, {kind}: {after} on trial beside {before} ({reason})",
        "stop": "{date} UTC, {kind}: {before} no longer on trial ({reason})",
    },
    rolled_back="From the next question on I answer from the index `{name}` of {date} UTC again, "
    "not from `{before}`.",
    documents_differ="What that changes in the documents:",
    documents_same="The documents are the same.",
    mute_unclear="I did not understand how long. For example: `/whimbrel mute 30m`, `2h`, `1d`, "
    "or `off`.",
    muted_for="I answer nothing in this channel for {duration}. `/whimbrel mute off` ends that.",
    muted_off="I answer in this channel again.",
    minutes="{count} min",
    hours="{count} h",
    days="{count} d",
    config_title="Channel settings",
    config_save="Save",
    config_cancel="Cancel",
    config_labels={
        "mode": "What I answer",
        "followups": "Follow-up questions in my threads",
        "sources": "Documents",
        "language": "Language",
        "visibility": "Who sees answers",
        "threshold": "Least confidence of an answer",
        "buttons": "Buttons under answers",
        "trials": "Models on trial",
        "experts": "Experts",
    },
    config_hints={
        "sources": "Beginnings of document ids, one a line, such as handbook/people. "
        "Empty: all documents.",
        "threshold": "Between 0 and 1. Empty: the usual one.",
        "experts": "Whom I name when the documents do not hold the answer.",
    },
    config_options={
        "mode.mentions": "Only questions that mention me",
        "mode.questions": "Also questions that do not mention me",
        "followups.off": "Only with a mention",
        "followups.asker": "From the person who asked",
        "followups.everyone": "From everyone in the thread",
        "language.auto": "That of the question",
        "language.en": "English",
        "language.zh": "中文",
        "visibility.thread": "Everyone, in the thread",
        "visibility.asker": "Only the person who asked",
        "buttons.on": "Shown",
        "buttons.off": "Hidden",
        "trials.on": "May answer here",
        "trials.off": "Never answer here",
    },
    config_all="all",
    config_usual="the usual one",
    config_saved="Saved. In this channel holds from now on:",
    config_unknown="No document begins with: {sources}",
    config_only_channels="Please give that command in the channel that it is about.",
    config_too_late="That took too long, so Slack did not let me open the settings. "
    "Please try once more.",
    config_threshold_wrong="A number between 0 and 1, please.",
    config_sources_wrong="At most 50 lines, please.",
    report_title="Report of the last {days} days",
    report_begun="I am putting the report together; it comes in our direct messages.",
    report_empty="Nobody has asked anything in the last {days} days.",
    report_labels={
        "questions": "Questions",
        "people": "Askers",
        "answered": "Answered",
        "abstained": "Not answered",
        "helpful": "Rated helpful",
        "votes": "Votes",
        "median_s": "Median time to answer",
        "p95_s": "95% answered within",
        "given_up": "Ended in an error",
    },
    report_languages="By language",
    report_language="{language}: questions {questions}, answered {answered}, helpful {helpful}",
    report_gaps="What the documents do not answer",
    report_gap="{question} (asked {count}×, askers {people}, 👎 {downs})",
    report_untold="A question that fewer than three people asked",
    report_stale="Old, and cited often",
    report_stale_source="{title}: {age_days} days old, cited in {answers} answers",
    report_disliked="Cited in answers that were rated down",
    report_disliked_source="{title}: {downs} 👎, {ups} 👍 in {answers} answers",
    report_history="Models and indexes",
    report_era="since {since}: {generator}, {embedder}, index {generation}: "
    "questions {questions}, answered {answered}, helpful {helpful}",
    report_interval="{share:.0%} (95%: {low:.0%} to {high:.0%})",
    report_none="none",
    report_unknown="–",
    report_pictures="The pictures of the report",
    report_no_pictures="I could not send the pictures: Slack says `{reason}`. "
    "The app needs the scope `files:write`.",
    report_summary="Last {days} days: questions {questions}, askers {people}, answered {answered}, "
    "rated helpful {helpful}. `/whimbrel report` tells more.",
    home_admin="How well I answer",
    why_bad_title="What was wrong?",
    why_bad_intro="Your rating is saved. If you tell more, an expert looks at it and may give the "
    "right answer to others too. Everything here may be left empty.",
    why_bad="What is wrong with the answer?",
    reasons={
        "wrong": "It is wrong",
        "incomplete": "It is incomplete",
        "outdated": "It is outdated",
        "wrong_source": "It is from the wrong document",
        "not_understood": "It is about something else",
        "tone": "I do not like its tone",
    },
    right_answer="What is the right answer?",
    right_document="Which document holds it?",
    no_document="None of these",
    other_document="Another document",
    modal_send="Send",
    modal_skip="Cancel",
    why_bad_note="Thank you for the rating. What was wrong with the answer?",
    why_bad_button="Tell me what was wrong",
    accept_note="I had no answer to this, but somebody has replied. Does their last message answer "
    "your question?",
    accept_button="Yes, that answers it",
    no_reply_here="I see no reply of anybody else in this thread.",
    proposed="Thank you. An expert will look at this answer; once it is approved I give it too.",
    no_question_here="I see no question here that this could be the answer to.",
    edit_title="Edit and approve",
    edit_question="Question",
    edit_answer="Answer",
    approve="Approve",
    edit="Edit",
    reject="Reject",
    review_approved="Approved: I give this answer from now on.",
    review_rejected="Rejected: I do not give this answer.",
    review_retired="Withdrawn: I do not give this answer any more.",
    served_title="Approved answers",
    retire="Withdraw",
    retire_sure="Withdraw this answer?",
    retire_what="From the next question on I answer from the documents again.",
    review_taken="Somebody else was faster and has decided this one already.",
    review_gone="This proposal is not there any more, or not for you to decide.",
    review_too_late="Slack did not let me open the window in time. Please click again.",
    queue_title="Answers to review",
    queue_intro="What you approve I answer at once to who asks the same.",
    queue_empty="Nothing is waiting for you.",
    queue_more="{count} more are waiting.",
    queue_document="Document: {name}",
    proposal_sources={
        "correction": "Correction of an answer of mine",
        "proposal": "Somebody's message, marked as an answer",
        "accepted": "A reply that the asker accepted",
    },
    home_questions="Your questions",
    home_no_questions="You have not asked me anything yet. Write to me in Messages, mention me in "
    "a channel, or use `/ask`.",
    home_votes="👍 {good} 👎 {bad}",
    home_rated_good="you: 👍",
    home_rated_bad="you: 👎",
    home_is_fixed="answered better since",
    home_fixed="Fixed since",
    home_ask_again="There is a better answer now. Please ask again where you asked before.",
    home_privacy="You and your data",
    learning_on="*Learning:* what you ask and rate may be used to make me better.",
    learning_off="*Learning:* what you ask and rate is not used to make me better.",
    learn_start="Allow it",
    learn_stop="Stop allowing it",
    notify_unset="*News:* you hear from me when an expert answers a question that you rated "
    "as bad.",
    notify_on="*News:* you hear from me when a question that you rated as bad is answered better.",
    notify_off="*News:* I do not write to you about questions that you rated.",
    notify_start="Tell me of everything that gets better",
    notify_stop="Tell me nothing",
    forget_intro="*Forget me:* I delete your questions, my answers to them, your ratings and what "
    "you wrote about them. Approved answers stay, without your name. Messages in Slack stay.",
    forget="Forget me",
    forget_sure="Forget you?",
    forget_what="Your questions, ratings, reasons and open proposals are deleted for good, and "
    "your choices here are as at the beginning.",
    forgotten="Done. Deleted for good: your questions ({questions}), ratings ({votes}) and open "
    "proposals ({proposals}). Nothing that is left names you.",
    fixed_news="You were not happy with my answer to this question:\n>{question}\n"
    "There is a better one now:\n{answer}",
    fixed_unsaid="You were not happy with my answer to this question:\n>{question}\n"
    "There is a better one now. Please ask again where it was asked.",
)

CHINESE = Strings(
    looking="正在查阅文档……",
    sources="来源",
    nearest="文档中最接近的内容",
    extracted="摘自文档 · 置信度 {confidence:.0%}",
    generated="根据文档撰写 · 置信度 {confidence:.0%}",
    page="第 {page} 页",
    good="有帮助",
    bad="没有帮助",
    empty="请向我提问，我会在文档中寻找答案。例如：*我有多少天年假？*",
    busy="现在排队的问题太多，这个问题没有受理。请过几分钟再问一次。",
    failed="抱歉，回答时出了错。管理员可以用编号 `{error_id}` 查找原因。",
    no_index="我还没有可查阅的文档。管理员可以在我运行的机器上用 `whimbrel index FOLDER` 载入。"
    "（编号 `{error_id}`）",
    not_admin="只有管理员可以这样做，请联系管理员。",
    reindex_begun="已开始重建索引，进度会显示在我们的私信中。",
    reindex_stage="正在重建索引：{stage} {done} / {total}",
    reindex_done="索引已重建，用时 {seconds:.0f} 秒：新增 {added} 个，变化 {changed} 个，"
    "移除 {removed} 个，未变 {unchanged} 个；共 {passages} 个段落。",
    reindex_failed="重建索引失败，我会继续使用原来的文档。{reason}（编号 `{error_id}`）",
    learn_begun="已开始学习，进度会显示在我们的私信中。",
    learn_stage="正在学习：{line}",
    learn_again="重启之后从头学习：{line}",
    learn_busy="我已经在学习了。",
    learn_failed="学习失败，目前的回答方式没有改变。{reason}（编号 `{error_id}`）",
    learn_done="已用数据集 `{dataset}` 学习，用时 {minutes} 分钟；留出 {held_out} 个问题用于检验。",
    learn_missing="还差 {missing} 个：{of} {found} / {needed}",
    learn_enough="{of} {found} 个",
    learn_outcomes={
        "too_few": "还不够",
        "known": "自上次尝试后没有新内容",
        "ready": "数量足够，还没轮到",
        "refused": "没有尝试",
        "broken_off": "已中断",
        "stopped": "没有更好",
        "passed": "更好，尚未发布",
        "on_trial": "更好，正在部分话题中试用",
        "published": "更好，已投入使用",
    },
    learn_counted={
        "questions": "有对应段落的问题",
        "held_out": "留出的、答案经专家批准的问题",
        "judgements": "有评价的回答",
        "labels": "已知与问题相关或无关的段落",
        "answers": "可以模仿的回答",
        "preferences": "有优劣对照的回答",
    },
    learners={
        "map": "检索模型（映射）",
        "retriever": "检索模型（整体）",
        "reranker": "重排模型",
        "abstention": "判断模型",
        "triage": "分流模型",
        "generator": "写作模型",
        "preferences": "写作模型（偏好）",
    },
    learn_pictures="检验结果",
    learn_last="上次学习：{date} UTC。{outcomes}。",
    replay_usage="请写明 `/whimbrel models` 中的一个模型：`/whimbrel replay RUN`。",
    replay_begun="正在重问最近的问题，进度会显示在我们的私信中。",
    replay_stage="正在重问：{line}",
    replay_busy="我已经在重问了。",
    replay_failed="重问失败。{reason}（编号 `{error_id}`）",
    replay_done="我重问了最近的 {asked} 个问题。如果改用 {candidate}：",
    replay_line="• {share:.0%}（{count} 个）{change}",
    replay_changes={
        "same": "回答不变",
        "words": "段落相同，措辞不同",
        "passages": "回答出自别的段落",
        "answered": "原来没有回答，现在有",
        "silent": "原来有回答，现在没有",
    },
    replay_files="具体是哪些问题，见我所在机器上的 `{folder}`。",
    status="{waiting} 个等待中，{doing} 个处理中，{dead} 个已放弃。已回答 {turns} 个问题。",
    help="在私信中*提问*，在频道里提及我，或使用 `/ask`（只有您能看到答案）。",
    updated_today="今天更新",
    updated_yesterday="昨天更新",
    updated_days="{n} 天前更新",
    updated_months="{n} 个月前更新",
    updated_years="{n} 年前更新",
    owner="负责人：{owner}",
    curated="由 {author} 撰写，经专家审核",
    cut_short="回答已中止，内容不完整",
    searched="已查阅 {n} 份文档。",
    searched_sources="已查阅 {sources} 中的 {n} 份文档。",
    whom_to_ask="可以问问 {owners}，最接近的文档由其负责。",
    why="为什么这样回答？",
    share="分享到此频道",
    keep="保存到我的私信",
    delete="删除",
    delete_sure="所有人都将看不到这个回答。",
    cancel="取消",
    ask_expert="请教专家",
    retry="重试",
    why_title="为什么这样回答？",
    why_working="正在逐段查看……",
    why_share="去掉这一段，回答会失去 {share:.0%} 的依据。",
    why_measure="我们依次去掉每一段，看其余段落对回答的支持减弱多少。如果某段的内容在别处也有，它的占比就低。"
    "这说明回答出自文档何处，并不说明模型内部的过程。",
    close="关闭",
    too_late="耗时过长，请再点一次。",
    gone="这个回答已不再保存。",
    shared="私下提问后分享：*{question}*",
    not_shareable="这个回答没有分享：它引用的文档并非频道里所有人都有权阅读。",
    not_member="我不在这个频道里。请先用 `/invite` 邀请我，再分享回答。",
    kept="您保存的回答：*{question}*",
    not_yours="只有提问者或管理员可以删除回答。",
    escalation="文档里没有这个问题的答案：*{question}*\n"
    "您能帮忙吗？请用 :{emoji}: 标记解答它的回复，下次我就知道了。",
    escalated="已经在这个消息列里请教过专家了。",
    working="正在查阅文档……",
    stopped="已停止。",
    muted="我在这个频道里已静音，直到 {until} (UTC)。请在私信中或用 `/ask` 向我提问。",
    ask_own="这条消息是我发的，只能就别人的消息向我提问。",
    welcome="不客气。要在文档里找什么，随时问我。",
    attachment_used="回答问题时一并阅读了：{names}",
    attachment_unread="未能阅读：{names}",
    prompts_title="可以这样问我",
    prompts=("我可以问你什么？", "我有多少天年假？", "差旅费怎么报销？"),
    unknown_command="没有 `{name}` 这个命令。",
    nearest_command="您是想用 `/whimbrel {name}` 吗？",
    commands={
        "status": "显示我的忙碌程度",
        "reindex": "读取有变化的文档，加上 `full` 则读取全部文档",
        "config": "设置我在这个频道里的行为",
        "report": "报告问题回答得怎么样，以及哪些没有答上",
        "learn": "从已有的评价中学习；加上 `dry` 则只说明数量是否足够",
        "replay": "重问最近的问题，说明某个学到的模型会带来什么变化",
        "models": "显示正在使用的模型和索引",
        "rollback": "退回到上一次变更之前的索引，或某一类学到的模型",
        "trial": "显示试用中的模型表现如何，让它回答所有人，或停止试用",
        "mute": "让我在这个频道里静音一小时，或您指定的时间",
        "help": "显示这些说明",
    },
    command_buttons={
        "config": "设置这个频道",
        "status": "状态",
        "report": "报告",
        "models": "模型",
    },
    command_failed="没有成功。{reason}（编号 `{error_id}`）",
    stages={"reading": "已读取", "embedding": "已向量化", "writing": "已写入"},
    reindex_busy="索引正在重建，请等它完成后再试。",
    documents_added="新增",
    documents_changed="有变化",
    documents_removed="已移除",
    documents_failed="无法读取",
    and_more="……还有 {count} 个",
    models_title="目前的回答来自",
    model_kinds={
        "embedder": "检索模型",
        "reranker": "重排模型",
        "judge": "判断模型",
        "generator": "写作模型",
    },
    generation_served="正在使用的索引",
    generation_before="上一个索引",
    generation="`{name}`，{date} UTC：{documents} 个文档，{passages} 个段落（{embedder}）",
    rollback_hint="`/whimbrel rollback` 可以退回上一个索引。",
    learned_title="从评价中学到的模型",
    learned_run="{kind} `{id}`，{date}，数据集 `{dataset}`：{state}",
    trained_kinds={
        "retriever": "检索模型",
        "reranker": "重排模型",
        "judge": "判断模型",
        "triage": "分流模型",
        "generator": "写作模型",
    },
    run_serving="正在使用",
    run_waiting="未使用",
    run_retired="已永久撤回",
    run_base="配置的模型",
    deployments_title="学到的模型的更换记录",
    trial_title="试用中：{kind} `{run}`，自 {date} UTC 起，与 {before} 并行",
    trial_modes={
        "shadow": "没有人等我时，它在暗处回答，谁也看不到。",
        "share": "它回答 {share} 的话题。",
        "all": "它已经回答所有人；如果大家不那么喜欢它，我仍会把它撤下。",
    },
    trial_arms={"candidate": "试用模型", "served": "现用模型"},
    trial_arm="{arm}：{questions} 个问题，回答了 {answered} 个；{rated} 个评价，其中 {good} 个好评",
    trial_verdicts={
        "better": "大家对它的评价更好。",
        "worse": "大家对它的评价更差。",
        "unsure": "评价还不够多，分不出高下。",
    },
    trial_agreement="比较了 {questions} 个问题：找到的段落有 {overlap} 相同，多回答了 {gained} 个，"
    "少回答了 {lost} 个",
    trial_publish="让它回答所有人",
    trial_publish_confirm="从下一个问题开始，它回答所有话题。",
    trial_stop="停止试用",
    trial_stop_confirm="从下一个问题开始，它不再回答任何人。",
    trial_cancel="取消",
    trial_none="没有试用中的模型，或者那次试用已经结束。",
    trial_published="从下一个问题开始，{kind} `{run}` 回答所有人。",
    trial_stopped="{kind} `{run}` 不再试用；所有问题都由之前的模型回答。",
    trial_taken_back="我已撤下{kind} `{run}`：{reason}。所有问题又由之前的模型回答。",
    model_rolled_back="从下一个问题开始，{after} 重新作为{kind}使用，不再使用 {before}。",
    deployment={
        "publish": "{date} UTC，{kind}：{before} → {after}（{reason}）",
        "rollback": "{date} UTC，{kind}：{before} → {after}（{reason}）",
        "trial": "{date} UTC，{kind}：{after} 开始试用，与 {before} 并行（{reason}）",
        "stop": "{date} UTC，{kind}：{before} 不再试用（{reason}）",
    },
    rolled_back="从下一个问题开始，我改用 {date} UTC 的索引 `{name}`，不再使用 `{before}`。",
    documents_differ="文档因此有以下变化：",
    documents_same="文档没有变化。",
    mute_unclear="我没看懂时长。例如：`/whimbrel mute 30m`、`2h`、`1d` 或 `off`。",
    muted_for="我在这个频道里静音 {duration}。用 `/whimbrel mute off` 可以提前结束。",
    muted_off="我会重新在这个频道里回答问题。",
    minutes="{count} 分钟",
    hours="{count} 小时",
    days="{count} 天",
    config_title="频道设置",
    config_save="保存",
    config_cancel="取消",
    config_labels={
        "mode": "回答哪些问题",
        "followups": "话题中的追问",
        "sources": "文档",
        "language": "语言",
        "visibility": "谁能看到答案",
        "threshold": "回答所需的最低置信度",
        "buttons": "答案下方的按钮",
        "trials": "试用中的模型",
        "experts": "专家",
    },
    config_hints={
        "sources": "文档编号的开头，每行一个，例如 handbook/people。留空表示全部文档。",
        "threshold": "0 到 1 之间。留空表示使用默认值。",
        "experts": "文档中没有答案时，我会提到他们。",
    },
    config_options={
        "mode.mentions": "只回答提及我的问题",
        "mode.questions": "也回答没有提及我的问题",
        "followups.off": "只有提及我才算",
        "followups.asker": "提问者的追问",
        "followups.everyone": "话题中所有人的追问",
        "language.auto": "与问题相同",
        "language.en": "English",
        "language.zh": "中文",
        "visibility.thread": "所有人，在话题中",
        "visibility.asker": "只有提问者",
        "buttons.on": "显示",
        "buttons.off": "隐藏",
        "trials.on": "可以在这里回答",
        "trials.off": "不在这里回答",
    },
    config_all="全部",
    config_usual="默认值",
    config_saved="已保存。这个频道从现在起：",
    config_unknown="没有文档以此开头：{sources}",
    config_only_channels="请在要设置的频道里使用这个命令。",
    config_too_late="时间过长，Slack 没有让我打开设置。请再试一次。",
    config_threshold_wrong="请填写 0 到 1 之间的数字。",
    config_sources_wrong="最多 50 行。",
    report_title="最近 {days} 天的报告",
    report_begun="正在整理报告，完成后会发到我们的私信中。",
    report_empty="最近 {days} 天没有人提问。",
    report_labels={
        "questions": "问题",
        "people": "提问人数",
        "answered": "已回答",
        "abstained": "未能回答",
        "helpful": "评为有帮助",
        "votes": "评价",
        "median_s": "回答用时中位数",
        "p95_s": "95% 的回答用时不超过",
        "given_up": "因出错未完成",
    },
    report_languages="按语言",
    report_language="{language}：{questions} 个问题，已回答 {answered}，有帮助 {helpful}",
    report_gaps="文档没有回答的问题",
    report_gap="{question}（{people} 人问过 {count} 次，其中 {downs} 次被评为没有帮助）",
    report_untold="不到三人问过的问题",
    report_stale="经常引用但较旧的文档",
    report_stale_source="{title}：{age_days} 天前更新，在 {answers} 个答案中引用",
    report_disliked="被评为没有帮助的答案所引用的文档",
    report_disliked_source="{title}：{downs} 个 👎，{ups} 个 👍，共 {answers} 个答案",
    report_history="模型和索引",
    report_era="自 {since}：{generator}，{embedder}，索引 {generation}："
    "{questions} 个问题，已回答 {answered}，有帮助 {helpful}",
    report_interval="{share:.0%}（95%：{low:.0%} 至 {high:.0%}）",
    report_none="无",
    report_unknown="–",
    report_pictures="报告的图片",
    report_no_pictures="图片没有发送成功：Slack 返回 `{reason}`。应用需要 `files:write` 权限。",
    report_summary="最近 {days} 天：{people} 人提了 {questions} 个问题，已回答 {answered}，"
    "评为有帮助 {helpful}。详情请用 `/whimbrel report`。",
    home_admin="回答情况",
    why_bad_title="哪里不对？",
    why_bad_intro="您的评价已保存。如果您愿意多说几句，专家会查看，并可能把正确答案也提供给其他人。"
    "以下各项都可以留空。",
    why_bad="这个回答有什么问题？",
    reasons={
        "wrong": "内容有误",
        "incomplete": "不完整",
        "outdated": "已过时",
        "wrong_source": "引用了错误的文档",
        "not_understood": "没有理解问题",
        "tone": "语气不合适",
    },
    right_answer="正确的答案是什么？",
    right_document="正确答案在哪个文档里？",
    no_document="都不是",
    other_document="其他文档",
    modal_send="发送",
    modal_skip="取消",
    why_bad_note="感谢您的评价。这个回答哪里不对？",
    why_bad_button="告诉我哪里不对",
    accept_note="我没能回答这个问题，但有人回复了。他们的最后一条消息回答了您的问题吗？",
    accept_button="是的，已解答",
    no_reply_here="我在这个话题里没有看到其他人的回复。",
    proposed="谢谢。专家会查看这个答案；批准之后，我也会这样回答。",
    no_question_here="我没有看到这条消息所回答的问题。",
    edit_title="修改并批准",
    edit_question="问题",
    edit_answer="答案",
    approve="批准",
    edit="修改",
    reject="拒绝",
    review_approved="已批准：从现在起我会给出这个答案。",
    review_rejected="已拒绝：我不会给出这个答案。",
    review_retired="已撤回：我不会再给出这个答案。",
    served_title="已批准的答案",
    retire="撤回",
    retire_sure="要撤回这个答案吗？",
    retire_what="从下一个问题开始，我会重新根据文档回答。",
    review_taken="其他人更快一步，已经处理了这一条。",
    review_gone="这条建议已不存在，或不由您处理。",
    review_too_late="Slack 没有让我及时打开窗口，请再点一次。",
    queue_title="待审核的答案",
    queue_intro="您批准的答案，我会立即用来回答同样的问题。",
    queue_empty="没有等待您处理的内容。",
    queue_more="还有 {count} 条在等待。",
    queue_document="文档：{name}",
    proposal_sources={
        "correction": "对我的回答的更正",
        "proposal": "被标记为答案的消息",
        "accepted": "提问者采纳的回复",
    },
    home_questions="您的提问",
    home_no_questions="您还没有向我提过问题。可以在“消息”中写给我，在频道里提及我，或使用 `/ask`。",
    home_votes="👍 {good} 👎 {bad}",
    home_rated_good="您：👍",
    home_rated_bad="您：👎",
    home_is_fixed="现在有了更好的答案",
    home_fixed="后来改进的回答",
    home_ask_again="现在有了更好的答案，请在原来提问的地方再问一次。",
    home_privacy="您与您的数据",
    learning_on="*学习：*您的提问和评价可以用来改进我。",
    learning_off="*学习：*您的提问和评价不会用来改进我。",
    learn_start="允许",
    learn_stop="不再允许",
    notify_unset="*通知：*当专家回答了您评价为不好的问题时，我会告诉您。",
    notify_on="*通知：*当您评价为不好的问题有了更好的答案时，我会告诉您。",
    notify_off="*通知：*我不会就您评价过的问题给您发消息。",
    notify_start="有任何改进都告诉我",
    notify_stop="不要告诉我",
    forget_intro="*忘记我：*我会删除您的提问、我对它们的回答、您的评价以及您写下的意见。"
    "已批准的答案会保留，但不再有您的名字。Slack 里的消息会保留。",
    forget="忘记我",
    forget_sure="要忘记您吗？",
    forget_what="您的提问、评价、意见和未处理的建议将被永久删除，这里的选择也会恢复到最初的状态。",
    forgotten="完成。我已永久删除您的 {questions} 个提问、{votes} 个评价和 "
    "{proposals} 条未处理的建议，留下的内容不再提到您。",
    fixed_news="您曾对我就这个问题的回答不满意：\n>{question}\n现在有了更好的答案：\n{answer}",
    fixed_unsaid="您曾对我就这个问题的回答不满意：\n>{question}\n"
    "现在有了更好的答案，请在原来提问的地方再问一次。",
)


def strings_for(language: str) -> Strings:
    """The catalogue for a language code; English where there is none of its own."""
    return CHINESE if language == "zh" else ENGLISH
