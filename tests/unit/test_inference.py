"""What is asked of an engine, and how long an answer: no more than the evidence needs, and no less."""

from dataclasses import replace

import pytest

from dsdeploy.adapters.chat import Reply
from dsdeploy.core.progress import SILENT
from dsdeploy.stages.check import CHECKS, Selection, run_checks
from dsdeploy.stages.check.subject import COUNT, Subject
from tests.unit.test_check import checked, finding

RELEASE = checked(finding("pass")).data.release
REASONING, PLAIN, SMOKE = "deepseek-r1-distill-qwen-1.5b", "deepseek-llm-7b-chat", "smoke"


class Chat:
    """Answers each question in the same words, as if a word of the prompt were a token."""

    def __init__(self, words="one two three"):
        self.words, self.asked = words, []

    def reply(self, question, waits=None):
        self.asked.append(question)
        return Reply(self.words, "", (), "stop", len(question.words.split()))


def found(chat, model, *only):
    subject = Subject(replace(RELEASE, model_id=model), None, None, None, None, chat, None, SILENT)
    return run_checks(CHECKS, subject, Selection(only=only))


def test_raw_marks_of_reasoning_are_sought_in_the_answer_that_is_there_already():
    chat = Chat()
    assert [one.status for one in found(chat, PLAIN, "chat-answers", "reasoning-parsed")] == ["pass", "pass"]
    assert chat.asked == [COUNT]
    assert [one.status for one in found(Chat("</think>\n\none"), PLAIN, "reasoning-parsed")] == ["fail"]


def test_a_reasoning_model_has_a_question_of_its_own_to_think_about():
    chat = Chat()
    assert [one.status for one in found(chat, REASONING, "reasoning-parsed")] == ["fail"]
    assert COUNT not in chat.asked and chat.asked[0].output_tokens > COUNT.output_tokens


@pytest.mark.parametrize(("model", "judged"), [(PLAIN, True), (REASONING, False), (SMOKE, False)])
def test_a_long_prompt_is_nine_tenths_of_the_context_and_answered_only_where_the_answer_is_judged(model, judged):
    chat = Chat("no number")
    (one,) = found(chat, model, "long-context-read")
    *_, long = chat.asked
    assert one.status == ("warn" if judged else "pass")
    assert 0.88 * RELEASE.context_tokens < len(long.words.split()) <= 0.9 * RELEASE.context_tokens
    assert (long.output_tokens > 1) == judged
