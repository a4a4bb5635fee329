"""How often a curated answer is given to the question it belongs to, and to a near miss.

    python -m benchmarks.curated [--embedder multilingual-e5-small]

The questions below were written for this purpose. Precision and recall over
paraphrases (should match) and near misses (should not), by likeness alone, with the guard, and as
served.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

from bot.review.matching import Likeness, agree, is_same
from retrieval.language import language_of
from retrieval.search.embedding import Embedder
from retrieval.settings import load_settings

Pair = tuple[str, str, bool, float]
"""A known question, one that is asked, whether they are the same, and their likeness."""

CASES: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    (
        "How many days of paid leave do I get a year?",
        (
            "How many paid leave days do I get per year?",
            "how many days of paid vacation do I get each year",
            "How much annual paid leave do we get?",
        ),
        (
            "How many days of unpaid leave do I get a year?",
            "How many days of sick leave do I get a year?",
            "How many days of parental leave do I get?",
            "How do I request paid leave?",
        ),
    ),
    (
        "How do I reset my VPN password?",
        (
            "how can I reset my vpn password",
            "How do I reset the password for the VPN?",
            "I forgot my VPN password, how do I reset it?",
        ),
        (
            "How do I reset my email password?",
            "How do I install the VPN?",
            "How often do I have to change my VPN password?",
            "How do I reset my GitLab password?",
        ),
    ),
    (
        "Where do I send invoices from suppliers?",
        (
            "Where should supplier invoices be sent?",
            "where do I send supplier invoices",
            "Where do invoices from suppliers go?",
        ),
        (
            "Where do I send invoices to customers?",
            "When are supplier invoices paid?",
            "Where do I send contracts from suppliers?",
        ),
    ),
    (
        "Who approves travel above 2,000 euros?",
        (
            "Who has to approve travel over 2,000 euros?",
            "Who approves trips that cost more than 2,000 euros?",
        ),
        (
            "Who approves travel above 5,000 euros?",
            "Who approves purchases above 2,000 euros?",
            "Who approves travel below 2,000 euros?",
        ),
    ),
    (
        "What is the guest Wi-Fi called in the Lisbon office?",
        (
            "What's the name of the guest Wi-Fi in the Lisbon office?",
            "what is the guest wi-fi network in the Lisbon office called",
        ),
        (
            "What is the guest Wi-Fi called in the Porto office?",
            "What is the guest Wi-Fi password in the Lisbon office?",
            "What is the staff Wi-Fi called in the Lisbon office?",
        ),
    ),
    (
        "Can I work from abroad?",
        (
            "Am I allowed to work from abroad?",
            "can I work from another country",
        ),
        (
            "Can I not work from abroad?",
            "Can I work from home?",
            "Can I study abroad?",
        ),
    ),
    (
        "How long are database backups kept?",
        (
            "How long do we keep database backups?",
            "for how long are the database backups kept?",
            "How long are backups of the database retained?",
        ),
        (
            "How often are database backups made?",
            "How long are log files kept?",
            "How do I restore a database backup?",
        ),
    ),
    (
        "What happens to my shares when I leave the company?",
        (
            "What happens with my shares if I leave the company?",
            "what happens to my shares after I leave the company?",
        ),
        (
            "What happens to my shares when I join the company?",
            "What happens to my laptop when I leave the company?",
            "What happens to my shares when the company is sold?",
        ),
    ),
    (
        "When is the deadline for expense reports?",
        (
            "When are expense reports due?",
            "what is the deadline for expense reports",
            "When do expense reports have to be in?",
        ),
        (
            "When is the deadline for performance reviews?",
            "Where do I find the form for expense reports?",
            "Who checks expense reports?",
        ),
    ),
    (
        "How do I enable two-factor authentication?",
        (
            "How can I enable two-factor authentication?",
            "how do I turn on two-factor authentication",
            "How do I set up two-factor authentication?",
        ),
        (
            "How do I disable two-factor authentication?",
            "Why do I need two-factor authentication?",
            "How do I enable single sign-on?",
        ),
    ),
    (
        "Is the price list for 2026 final?",
        ("Is the 2026 price list final?", "is the price list for 2026 final yet?"),
        ("Is the price list for 2025 final?", "Is the price list for 2026 not final?"),
    ),
    (
        "What does error E-1042 mean?",
        ("What is error E-1042?", "what does the error E-1042 mean?"),
        ("What does error E-1043 mean?", "How do I report error E-1042?"),
    ),
    (
        "每年有多少天带薪年假？",
        ("一年有多少天带薪年假？", "我每年有几天带薪年假？", "每年的带薪年假是多少天？"),
        ("每年有多少天病假？", "每年有多少天无薪假？", "怎么申请带薪年假？", "产假有多少天？"),
    ),
    (
        "怎么重置VPN密码？",
        ("如何重置VPN密码？", "VPN密码怎么重置？", "忘记VPN密码了，怎么重置？"),
        ("怎么重置邮箱密码？", "怎么安装VPN？", "VPN密码多久要换一次？"),
    ),
    (
        "供应商的发票寄到哪里？",
        ("供应商发票应该寄到哪里？", "供应商的发票要寄去哪里？"),
        ("客户的发票寄到哪里？", "供应商的合同寄到哪里？", "供应商的发票什么时候付款？"),
    ),
    (
        "超过5000元的采购由谁审批？",
        ("谁来审批超过5000元的采购？", "采购超过5000元由谁审批？"),
        ("超过10000元的采购由谁审批？", "超过5000元的差旅由谁审批？"),
    ),
    (
        "数据库备份保留多久？",
        ("数据库的备份会保留多久？", "数据库备份要保留多长时间？"),
        ("日志保留多久？", "数据库多久备份一次？", "怎么恢复数据库备份？"),
    ),
    (
        "可以在家办公吗？",
        ("能在家办公吗？", "我可以在家办公吗？", "可不可以在家办公？"),
        ("可以在国外办公吗？", "不可以在家办公吗？", "可以带家人来办公室吗？"),
    ),
    (
        "怎么开启双重验证？",
        ("如何开启双重验证？", "双重验证怎么开启？", "怎么打开双重验证？"),
        ("怎么关闭双重验证？", "为什么需要双重验证？", "怎么开启单点登录？"),
    ),
    (
        "离职后我的股票怎么处理？",
        ("离职之后股票如何处理？", "我离职后股票怎么处理？"),
        ("入职后我的股票怎么处理？", "离职后我的电脑怎么处理？"),
    ),
    (
        "How many days of leave do I have?",
        ("how many leave days do i have please",),
        ("How many days of sick leave do I have?",),
    ),
    (
        "What is the VPN address?",
        (),
        (
            "What is the VPN address for contractors?",
            "What is the VPN address for the Berlin office?",
        ),
    ),
    (
        "Who do I contact about a broken laptop?",
        ("My laptop is broken, who do I contact?",),
        ("Who do I contact about a broken laptop screen?",),
    ),
    (
        "Who do I contact about a broken laptop during the weekend?",
        (),
        ("Who do I contact about a broken laptop during the night?",),
    ),
    (
        "Where is the coffee machine in the kitchen on the third floor of the main building?",
        (),
        ("Where is the water filter in the kitchen on the third floor of the main building?",),
    ),
    (
        "How do I book a meeting room for more than ten people in the headquarters?",
        (),
        ("How do I book a parking space for more than ten people in the headquarters?",),
    ),
    (
        "What is the maximum amount I can spend on a hotel per night when I travel?",
        (),
        ("What is the maximum amount I can spend on a dinner per night when I travel?",),
    ),
    ("How do I get a company phone?", (), ("How do I get a company car?",)),
    ("How do I return a company phone?", (), ("How do I get a company phone?",)),
    ("Can interns work from home?", (), ("Can employees work from home?",)),
    (
        "Can I expense lunch?",
        ("Can lunch be expensed?",),
        ("Can I expense lunch with a customer?",),
    ),
    (
        "年假有多少天？",
        ("请问年假一共有多少天？",),
        (
            "病假有多少天？",
            "试用期年假有多少天？",
        ),
    ),
    ("怎么申请报销？", ("请问报销怎么申请？",), ("怎么申请差旅报销？",)),
    ("会议室怎么预订？", ("如何预定会议室？",), ("三楼会议室怎么取消预订？",)),
    ("打印机坏了找谁？", (), ("打印机坏了周末找谁？",)),
    ("How do I book a meeting room?", ("How can I reserve a meeting room?",), ()),
    ("Where is the travel policy?", ("Where can I find the travel policy?",), ()),
)
"""A known question, other wordings of it, and questions that only look like it."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--embedder", default="multilingual-e5-small")
    name = parser.parse_args().embedder
    settings = load_settings().model_copy(update={"embedder": name})
    pairs = _pairs(Likeness(Embedder.load(settings)), is_english_only="minilm" in name)
    same = sum(is_same for _, _, is_same, _ in pairs)
    print(f"{name}: {same} paraphrases, {len(pairs) - same} near misses")
    rules: dict[str, Callable[[Pair], bool]] = {
        "likeness >= 0.8": lambda pair: pair[3] >= 0.8,
        "and the guard": lambda pair: pair[3] >= 0.8 and agree(pair[0], pair[1]),
        "as served": lambda pair: is_same(pair[1], pair[0], pair[3]),
    }
    for rule, holds in rules.items():
        print(f"{rule:16} {_scores([pair for pair in pairs if holds(pair)], same)}")
    for pair in pairs:
        if rules["as served"](pair) != pair[2]:
            verdict = "missed" if pair[2] else "WRONGLY MATCHED"
            print(f"{verdict} {pair[3]:.2f}: {pair[0]} / {pair[1]}")


def _pairs(likeness: Likeness, *, is_english_only: bool) -> list[Pair]:
    pairs: list[Pair] = []
    for known, others, misses in CASES:
        if is_english_only and language_of(known) == "zh":
            continue
        asked = (*others, *misses)
        vectors = likeness.embedder.embed_queries([known, *asked])
        values = likeness.of(vectors[:1], vectors[1:], language_of(known))
        same = (text in others for text in asked)
        pairs += zip((known,) * len(asked), asked, same, map(float, values), strict=True)
    return pairs


def _scores(chosen: list[Pair], same: int) -> str:
    right = sum(is_same for _, _, is_same, _ in chosen)
    return f"precision {right / max(1, len(chosen)):.2f}, recall {right / same:.2f}"


if __name__ == "__main__":
    main()
