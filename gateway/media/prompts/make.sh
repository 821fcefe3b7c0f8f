#!/bin/sh
# Makes every announcement of this folder anew: espeak-ng speaks kana, SoX trims silence and writes µ-law at 8 kHz.
# Needs: apt-get install espeak-ng sox
set -eu
cd "$(dirname "$0")"
wav=$(mktemp --suffix=.wav)
trap 'rm -f "$wav"' EXIT

say() { # file, text
    espeak-ng -v ja -s 200 -p 45 -w "$wav" "$2"
    sox -D "$wav" -r 8000 -c 1 -t ul "$1.ulaw" \
        highpass 200 silence 1 0.01 0.5% reverse silence 1 0.01 0.5% reverse gain -n -6 pad 0.05 0.1
}

say outside-line-down "ただいま、がいせんに つながりません。のちほど おかけなおし ください。"
say emergency-impossible "この かいせん では、きんきゅう つうほう が できません。けいたい でんわ から おかけください。"
say channels-busy "ただいま、かいせんが こんでいます。のちほど おかけください。"
say number-not-in-use "おかけに なった でんわばんごう は、げんざい つかわれて いません。"
say after-hours "ただいまの じかんは、でんわ を おうけ して おりません。"
