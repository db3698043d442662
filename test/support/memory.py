"""What lies in another process's memory."""

PAGE = 4096
WINDOW = 12
STEP = 4


def pages_of(memory, start, end):
    """Those of a mapping that are not all zeros."""
    pages = []
    try:
        memory.seek(start)
        for _ in range(start, end, PAGE):
            page = memory.read(PAGE)
            if page.count(0) < PAGE:
                pages.append(page)
    except OSError:
        pass  # a rest that was unmapped meanwhile holds nothing
    return pages


def memory_of(pid):
    """What the process can write to, zeros left out, and what only sanitizers map: hundreds of
    megabytes."""
    pages = []
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as memory:
        for line in maps:
            start, end = (int(number, 16) for number in line.split()[0].split("-"))
            if line.split()[1].startswith("rw") and end - start < 64 << 20:
                pages += pages_of(memory, start, end)
    return b"".join(pages)


def pieces_in_memory(pid, *secrets):
    """The pieces of these texts that the process holds somewhere; one of 15 bytes is never missed."""
    memory = memory_of(pid)
    windows = [secret[at:at + WINDOW] for secret in secrets
               for at in range(0, len(secret) - WINDOW + 1, STEP)]
    return [window for window in windows if window in memory]
