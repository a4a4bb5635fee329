"""What the bot says in its own words, in English and in Chinese."""

from __future__ import annotations

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
    status: str
    help: str


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
    not_admin="Only admins can reindex the documents. Please ask one of them to do it for you.",
    reindex_begun="Reindexing has begun; I show the progress in our direct messages.",
    reindex_stage="Reindexing: {stage} {done} of {total}",
    reindex_done="Reindexing is done. {summary}",
    reindex_failed="Reindexing failed; I go on with the documents as they were. "
    "{reason} (id `{error_id}`)",
    status="{waiting} waiting, {doing} in progress, {dead} given up. {turns} questions answered.",
    help="*Ask* me in a direct message, by mentioning me in a channel, or with `/ask` so that only "
    "you see the answer.\n"
    "`/whimbrel status` shows how busy I am.\n"
    "`/whimbrel reindex` reads the documents that changed (admins); "
    "`/whimbrel reindex full` reads all of them.",
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
    not_admin="只有管理员可以重建文档索引，请联系管理员。",
    reindex_begun="已开始重建索引，进度会显示在我们的私信中。",
    reindex_stage="正在重建索引：{stage} {done} / {total}",
    reindex_done="索引已重建。{summary}",
    reindex_failed="重建索引失败，我会继续使用原来的文档。{reason}（编号 `{error_id}`）",
    status="{waiting} 个等待中，{doing} 个处理中，{dead} 个已放弃。已回答 {turns} 个问题。",
    help="在私信中*提问*，在频道里提及我，或使用 `/ask`（只有您能看到答案）。\n"
    "`/whimbrel status` 显示我的忙碌程度。\n"
    "`/whimbrel reindex` 读取有变化的文档（管理员）；`/whimbrel reindex full` 读取全部文档。",
)


def strings_for(language: str) -> Strings:
    """The catalogue for a language code; English where there is none of its own."""
    return CHINESE if language == "zh" else ENGLISH
