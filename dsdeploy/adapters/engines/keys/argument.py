import logging
import runpy
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    key = file.readline().strip()
if not key:
    sys.exit(sys.argv[1] + " holds no key: refusing to serve an open door")
made = logging.getLogRecordFactory()


def without_key(*words: object, **named: object) -> logging.LogRecord:
    record: logging.LogRecord = made(*words, **named)
    record.msg, record.args = record.getMessage().replace(key, "***"), None
    return record


logging.setLogRecordFactory(without_key)
sys.argv[:] = [sys.argv[2], *sys.argv[3:], "--api-key=" + key]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
