#!/usr/bin/env python3
"""Writes vectors.txt: what other people's digest clients answer to a challenge.

pip install requests httpx; python3 make.py > vectors.txt
"""

import urllib.request

import httpx
import requests.auth
import requests.utils

CHALLENGES = [
    'realm="pbx.example", nonce="0000000100000005aabbccddeeff0011", algorithm=SHA-256, qop="auth"',
    'realm="pbx.example", nonce="0000000100000005aabbccddeeff0011", algorithm=MD5, qop="auth"',
    'realm="pbx.example", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41", qop="auth"',
    'realm="a realm, with a comma", nonce="a/b+c==", stale=true, algorithm=SHA-256, opaque="", qop="auth,auth-int"',
    'realm="pbx.example", nonce="n", algorithm=MD5',
    'realm="pbx.example", nonce="n"',
]
REQUESTS = [
    ("REGISTER", "http://pbx.example/", "0312340001", "correct horse"),
    ("INVITE", "http://pbx.example/dir/index.html?q=1", "Mufasa", "Circle of Life"),
]


def by_requests(method, url, user, password, challenge):
    client = requests.auth.HTTPDigestAuth(user, password)
    client.init_per_thread_state()
    client._thread_local.chal = requests.utils.parse_dict_header(challenge)
    return client.build_digest_header(method, url)


def by_httpx(method, url, user, password, challenge):
    client = httpx.DigestAuth(user, password)
    request = httpx.Request(method, url)
    response = httpx.Response(401, request=request)
    return client._build_auth_header(request, client._parse_challenge(request, response, "Digest " + challenge))


def by_urllib(method, url, user, password, challenge):
    passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    passwords.add_password(None, url, user, password)
    client = urllib.request.HTTPDigestAuthHandler(passwords)
    request = urllib.request.Request(url, method=method)
    chal = urllib.request.parse_keqv_list(urllib.request.parse_http_list(challenge))
    return "Digest " + client.get_authorization(request, chal)


print("# client | method | user | password | challenge | answer; written by make.py")
for client in (by_requests, by_httpx, by_urllib):
    for challenge in CHALLENGES:
        for method, url, user, password in REQUESTS:
            # urllib knows MD5 and SHA-1 only, httpx no list of qop, urllib neither.
            if client is by_urllib and "SHA-256" in challenge:
                continue
            answer = client(method, url, user, password, challenge)
            name = client.__name__.removeprefix("by_")
            print(name, method, user, password, "Digest " + challenge, answer, sep=" | ")
