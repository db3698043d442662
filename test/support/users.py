"""Users with passwords, as htpasswd files have them; the hashes of the first four are cheap."""

import base64

PASSWORDS = {"alice": "wonder land", "bob": "b:ob", "carol": "käse", "dave": "d" * 20,
             "slow": "slow secret"}
HASHES = {
    "alice": "$5$rounds=1000$aditadit$t0EB8hAcv3KDqABl7FGzyi693PwUpw41XrJ5d196y42",
    "bob": "$5$rounds=1000$aditadit$h.Sxdf4gSIwMi/JeamnlO3UX7v3.6FkVJjGDtR4pZO3",
    "carol": "$5$rounds=1000$aditadit$2nDyZBiDUWoSb2IkajIxnH9EqnXa1EifP21cfNVw8t7",
    "dave": "$5$rounds=1000$aditadit$T7JQ7gIUkugxfCQ4IeI2kCvs5Kkk1fyXBy6PcDqWpp/",
    "slow": "$y$j9T$aditaditaditaditadita0$PyfILy4zU0iHMzEw.II6WBc.AA4lQ0ckk60AoIOEok2",
}
# "slow secret" in every kind that is taken
KINDS = {
    "yescrypt": HASHES["slow"],
    "bcrypt-2b": "$2b$10$abcdefghijklmnopqrstuunPhlddq9PQZDOjN2FEC29bPhYKZN8RO",
    "bcrypt-2y": "$2y$05$abcdefghijklmnopqrstuunHeAtKZ6gmon8OxJmME90cbODMFmw/6",
    "sha512": "$6$rounds=1000$aditadit$obbOVyFEnlAbTKfwn0HbSYQrdCPW6U2W875yjShbNqmAPYK.HroNCIi4mE."
              "9LgGfOEwJsygsans0.fMdOx.QV1",
    "apr1": "$apr1$aditadit$meJ1NrGCIypWjz77ekVHj1",
}
# One that is long enough to be recognised by its pieces, in every kind; the hashes are cheap.
LONG_PASSWORD = "7f3c9a51e2d84b06a1c7f5e39d20b8647e1f0c5ad93b2846"
LONG_KINDS = {
    "yescrypt": "$y$j75$aditaditaditaditadita0$IT1xoatvzI.Fj3Uwe9Gq7oHKow4OF0h6EVBCvB.ziW2",
    "bcrypt": "$2b$05$abcdefghijklmnopqrstuusADmp39BsMCF0AsBA03K.WixvKCwwwG",
    "sha512": "$6$rounds=1000$aditadit$ZE2SF2Y4UxOJvX5W9pVjyL.o0u3mL5eEnROM9DaxSc6ImCjstdNPh0AFGHX0P"
              "VD9kFhfTAchWE23VvZbHbeUW/",
    "sha256": "$5$rounds=1000$aditadit$jCf0oLCI2ZaabuaavbhIdz8oDe3ycRpv4NsFrfI7EA6",
    "apr1": "$apr1$aditadit$4oHUJRnW1GSOhAVXQD7pn.",
}
# Nobody's password: only so that wrong answers are held back for long.
COSTLY_LINE = "costly:$2b$12$" + "abcdefghijklmnopqrstuu" + "M" * 31 + "\n"
# alice after she changed her password
NEW_PASSWORD = "new secret"
NEW_LINE = "alice:$5$rounds=1000$aditadit$EksBOhN4lyXMevt9yrep0.3kFZH1qenNpPD/SMJEUX1\n"


def htpasswd(*names):
    """The text of a users file with these users."""
    return "".join(f"{name}:{HASHES[name]}\n" for name in names)


def basic(name, password=None):
    """The field that offers a password, the right one unless another is given."""
    password = PASSWORDS[name] if password is None else password
    token = base64.b64encode(f"{name}:{password}".encode()).decode()
    return f"Proxy-Authorization: Basic {token}"
