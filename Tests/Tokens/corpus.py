"""Texts of the kinds that requests are made of, by name; the same on every machine."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import string
import uuid
from collections.abc import Iterator
from pathlib import Path

from vocabularies import wheel

ROOT = Path(__file__).resolve().parents[2]

PROSE = {
    "english": "The harbour was quiet before dawn. Two fishermen mended their nets and spoke of the storm that had passed in the night; neither of them had slept. When the first ferry came in, its lamps still burning, they looked up, counted the passengers, and went back to work.",
    "german": "Der Hafen lag vor Sonnenaufgang still. Zwei Fischer flickten ihre Netze und sprachen über den Sturm, der in der Nacht vorübergezogen war; keiner von beiden hatte geschlafen. Als die erste Fähre mit brennenden Laternen einlief, blickten sie kurz auf und arbeiteten weiter.",
    "french": "Le port était calme avant l'aube. Deux pêcheurs réparaient leurs filets en parlant de la tempête passée pendant la nuit ; aucun des deux n'avait dormi. Quand le premier bac arriva, ses lampes encore allumées, ils levèrent les yeux, comptèrent les passagers et reprirent leur ouvrage.",
    "spanish": "El puerto estaba tranquilo antes del amanecer. Dos pescadores remendaban sus redes y hablaban de la tormenta que había pasado durante la noche; ninguno de los dos había dormido. Cuando llegó el primer barco, contaron a los pasajeros y volvieron al trabajo.",
    "portuguese": "O porto estava calmo antes do amanhecer. Dois pescadores consertavam as redes e falavam da tempestade que passara durante a noite; nenhum deles tinha dormido. Quando a primeira balsa chegou, contaram os passageiros e voltaram ao trabalho.",
    "italian": "Il porto era tranquillo prima dell'alba. Due pescatori rammendavano le reti e parlavano della tempesta passata nella notte; nessuno dei due aveva dormito. Quando arrivò il primo traghetto, contarono i passeggeri e tornarono al lavoro.",
    "dutch": "De haven was stil voor zonsopgang. Twee vissers herstelden hun netten en spraken over de storm die 's nachts voorbij was getrokken; geen van beiden had geslapen. Toen de eerste veerboot binnenkwam, telden zij de reizigers en gingen weer aan het werk.",
    "swedish": "Hamnen låg stilla före gryningen. Två fiskare lagade sina nät och talade om stormen som hade dragit förbi under natten; ingen av dem hade sovit. När den första färjan kom in räknade de passagerarna och gick tillbaka till arbetet.",
    "polish": "Przed świtem w porcie było cicho. Dwaj rybacy naprawiali sieci i rozmawiali o burzy, która przeszła w nocy; żaden z nich nie spał. Kiedy przypłynął pierwszy prom, policzyli pasażerów i wrócili do pracy.",
    "czech": "Přístav byl před úsvitem tichý. Dva rybáři spravovali sítě a mluvili o bouři, která se v noci přehnala; žádný z nich nespal. Když připlul první trajekt, spočítali cestující a vrátili se k práci.",
    "hungarian": "Hajnal előtt csendes volt a kikötő. Két halász a hálóit javította, és az éjszakai viharról beszélgetett; egyikük sem aludt. Amikor megérkezett az első komp, megszámolták az utasokat, és folytatták a munkát.",
    "finnish": "Satama oli hiljainen ennen aamunkoittoa. Kaksi kalastajaa korjasi verkkojaan ja puhui yöllä ohi menneestä myrskystä; kumpikaan ei ollut nukkunut. Kun ensimmäinen lautta saapui, he laskivat matkustajat ja palasivat työhönsä.",
    "turkish": "Liman şafaktan önce sessizdi. İki balıkçı ağlarını onarıyor ve gece geçen fırtınadan söz ediyordu; ikisi de uyumamıştı. İlk vapur geldiğinde yolcuları saydılar ve işlerine döndüler.",
    "vietnamese": "Bến cảng yên tĩnh trước bình minh. Hai ngư dân vá lưới và nói về cơn bão đã đi qua trong đêm; cả hai đều không ngủ. Khi chuyến phà đầu tiên cập bến, họ đếm hành khách rồi tiếp tục làm việc.",
    "indonesian": "Pelabuhan itu sunyi sebelum fajar. Dua nelayan memperbaiki jala mereka dan berbicara tentang badai yang berlalu pada malam hari; keduanya tidak tidur. Ketika feri pertama tiba, mereka menghitung penumpang dan kembali bekerja.",
    "russian": "Перед рассветом в гавани было тихо. Два рыбака чинили сети и говорили о буре, которая прошла ночью; ни один из них не спал. Когда пришёл первый паром, они сосчитали пассажиров и снова взялись за работу.",
    "ukrainian": "Перед світанком у гавані було тихо. Двоє рибалок лагодили сіті й говорили про бурю, що минула вночі; жоден із них не спав. Коли прибув перший пором, вони порахували пасажирів і повернулися до роботи.",
    "greek": "Το λιμάνι ήταν ήσυχο πριν από την αυγή. Δύο ψαράδες επισκεύαζαν τα δίχτυα τους και μιλούσαν για την καταιγίδα που είχε περάσει τη νύχτα· κανείς τους δεν είχε κοιμηθεί.",
    "hebrew": "הנמל היה שקט לפני עלות השחר. שני דייגים תיקנו את הרשתות שלהם ודיברו על הסערה שחלפה בלילה; איש מהם לא ישן. כשהגיעה המעבורת הראשונה ספרו את הנוסעים וחזרו לעבודה.",
    "arabic": "كان الميناء هادئا قبل الفجر. كان صيادان يصلحان شباكهما ويتحدثان عن العاصفة التي مرت في الليل، ولم ينم أي منهما. وعندما وصلت العبارة الأولى أحصيا الركاب وعادا إلى العمل.",
    "persian": "بندر پیش از سپیده‌دم آرام بود. دو ماهیگیر تورهایشان را تعمیر می‌کردند و از توفانی که شب گذشته بود سخن می‌گفتند؛ هیچ‌کدام نخوابیده بودند.",
    "hindi": "भोर से पहले बंदरगाह शांत था। दो मछुआरे अपने जाल ठीक कर रहे थे और रात को गुज़रे तूफ़ान की बात कर रहे थे; दोनों में से कोई नहीं सोया था। जब पहली नाव आई तो उन्होंने यात्रियों को गिना।",
    "bengali": "ভোরের আগে বন্দরটি শান্ত ছিল। দুই জেলে তাদের জাল মেরামত করছিল এবং রাতের ঝড়ের কথা বলছিল; দুজনের কেউই ঘুমায়নি।",
    "tamil": "விடியலுக்கு முன் துறைமுகம் அமைதியாக இருந்தது. இரண்டு மீனவர்கள் தங்கள் வலைகளைச் சரிசெய்து, இரவில் கடந்து சென்ற புயலைப் பற்றிப் பேசினார்கள்.",
    "thai": "ท่าเรือเงียบสงบก่อนรุ่งสาง ชาวประมงสองคนซ่อมอวนและพูดถึงพายุที่ผ่านไปเมื่อคืน ทั้งสองไม่ได้นอนเลย เมื่อเรือข้ามฟากลำแรกมาถึงพวกเขานับผู้โดยสารแล้วกลับไปทำงาน",
    "chinese": "黎明前的港口很安静。两个渔夫一边补网，一边谈论夜里过去的风暴；他们谁也没有睡。第一班渡船进港时，灯还亮着，他们抬头数了数乘客，又继续干活。",
    "traditional-chinese": "黎明前的港口很安靜。兩個漁夫一邊補網，一邊談論夜裡過去的風暴；他們誰也沒有睡。第一班渡船進港時，燈還亮著，他們抬頭數了數乘客，又繼續幹活。",
    "japanese": "夜明け前の港は静かだった。二人の漁師が網を繕いながら、夜のうちに過ぎ去った嵐について話していた。どちらも眠っていなかった。最初のフェリーが入ってくると、彼らは乗客を数え、また仕事に戻った。",
    "korean": "동이 트기 전 항구는 조용했다. 두 어부가 그물을 고치며 밤사이 지나간 폭풍에 대해 이야기했다. 둘 다 잠을 자지 못했다. 첫 배가 들어오자 그들은 승객을 세고 다시 일을 시작했다.",
    "georgian": "გათენებამდე ნავსადგური მშვიდი იყო. ორი მეთევზე ბადეებს აკეთებდა და ღამით ჩავლილ ქარიშხალზე საუბრობდა.",
    "armenian": "Լուսաբացից առաջ նավահանգիստը լուռ էր։ Երկու ձկնորս նորոգում էին ցանցերը և խոսում գիշերվա փոթորկի մասին։",
}

CODE = {
    "go": 'package main\n\nimport (\n\t"errors"\n\t"fmt"\n)\n\ntype Stack[T any] struct{ items []T }\n\nfunc (s *Stack[T]) Pop() (T, error) {\n\tvar zero T\n\tif len(s.items) == 0 {\n\t\treturn zero, errors.New("stack: empty")\n\t}\n\ttop := s.items[len(s.items)-1]\n\ts.items = s.items[:len(s.items)-1]\n\treturn top, nil\n}\n\nfunc main() {\n\ts := &Stack[int]{}\n\tif _, err := s.Pop(); err != nil {\n\t\tfmt.Println("error:", err)\n\t}\n}\n',
    "rust": 'use std::collections::HashMap;\n\n#[derive(Debug, Clone, PartialEq)]\npub enum Token<\'a> {\n    Word(&\'a str),\n    Number(f64),\n}\n\npub fn count<\'a>(tokens: &[Token<\'a>]) -> HashMap<&\'a str, usize> {\n    let mut seen = HashMap::new();\n    for token in tokens.iter() {\n        if let Token::Word(word) = token {\n            *seen.entry(*word).or_insert(0) += 1;\n        }\n    }\n    seen\n}\n',
    "java": 'package org.example.orders;\n\nimport java.util.List;\nimport java.util.stream.Collectors;\n\npublic final class OrderService {\n    private final OrderRepository repository;\n\n    public OrderService(final OrderRepository repository) {\n        this.repository = repository;\n    }\n\n    public List<OrderSummary> findOpenOrders(final long customerId) {\n        return repository.findByCustomerId(customerId).stream()\n            .filter(order -> !order.isClosed())\n            .map(OrderSummary::fromOrder)\n            .collect(Collectors.toUnmodifiableList());\n    }\n}\n',
    "typescript": 'import { useEffect, useState } from "react";\n\nexport interface Props<T> {\n  readonly items: ReadonlyArray<T>;\n  onSelect?: (item: T, index: number) => void;\n}\n\nexport function List<T extends { id: string }>({ items, onSelect }: Props<T>): JSX.Element {\n  const [active, setActive] = useState<string | null>(null);\n  useEffect(() => setActive(items[0]?.id ?? null), [items]);\n  return (\n    <ul className="list">\n      {items.map((item, i) => (\n        <li key={item.id} onClick={() => onSelect?.(item, i)}>{item.id === active ? <b>{item.id}</b> : item.id}</li>\n      ))}\n    </ul>\n  );\n}\n',
    "c": '#include <stdint.h>\n#include <string.h>\n\n#define RING_SIZE (1u << 12)\n\nstruct ring {\n\tuint8_t data[RING_SIZE];\n\tuint32_t head, tail;\n};\n\nstatic inline uint32_t ring_used(const struct ring *r)\n{\n\treturn r->head - r->tail;\n}\n\nint ring_put(struct ring *r, const void *src, uint32_t len)\n{\n\tif (len > RING_SIZE - ring_used(r))\n\t\treturn -1;\n\tfor (uint32_t i = 0; i < len; i++)\n\t\tr->data[(r->head + i) & (RING_SIZE - 1)] = ((const uint8_t *)src)[i];\n\tr->head += len;\n\treturn 0;\n}\n',
    "cpp": 'template <typename Key, typename Value, std::size_t N>\nclass FlatMap {\npublic:\n    [[nodiscard]] constexpr auto find(const Key& key) const noexcept -> const Value* {\n        const auto it = std::lower_bound(entries_.begin(), entries_.end(), key,\n            [](const auto& entry, const Key& k) { return entry.first < k; });\n        return it != entries_.end() && it->first == key ? &it->second : nullptr;\n    }\n\nprivate:\n    std::array<std::pair<Key, Value>, N> entries_{};\n};\n',
    "sql": "WITH recent AS (\n  SELECT o.customer_id, COUNT(*) AS n, SUM(o.total_cents) / 100.0 AS total\n  FROM orders o\n  JOIN customers c ON c.id = o.customer_id\n  WHERE o.created_at >= NOW() - INTERVAL '30 days' AND c.country IN ('DE', 'FR')\n  GROUP BY o.customer_id\n  HAVING COUNT(*) > 2\n)\nSELECT customer_id, n, total, RANK() OVER (ORDER BY total DESC) FROM recent LIMIT 50;\n",
    "ruby": 'module Billing\n  class Invoice < ApplicationRecord\n    belongs_to :customer\n    has_many :lines, dependent: :destroy\n    scope :overdue, -> { where("due_on < ?", Date.current).where(paid_at: nil) }\n\n    def total\n      lines.sum { |line| line.quantity * line.unit_price } * (1 + tax_rate)\n    end\n  end\nend\n',
    "kotlin": 'sealed interface Result<out T> {\n    data class Ok<T>(val value: T) : Result<T>\n    data class Failed(val reason: Throwable) : Result<Nothing>\n}\n\nsuspend fun <T> retrying(times: Int = 3, block: suspend () -> T): Result<T> {\n    repeat(times - 1) {\n        runCatching { block() }.onSuccess { value -> return Result.Ok(value) }\n        delay(100L shl it)\n    }\n    return runCatching { block() }.fold({ Result.Ok(it) }, { Result.Failed(it) })\n}\n',
    "haskell": "module Tree where\n\ndata Tree a = Leaf | Node (Tree a) a (Tree a) deriving (Show, Functor, Foldable)\n\ninsert :: Ord a => a -> Tree a -> Tree a\ninsert x Leaf = Node Leaf x Leaf\ninsert x t@(Node l y r)\n  | x < y = Node (insert x l) y r\n  | x > y = Node l y (insert x r)\n  | otherwise = t\n",
    "php": '<?php\n\ndeclare(strict_types=1);\n\nfinal class Router\n{\n    /** @var array<string, callable> */\n    private array $routes = [];\n\n    public function get(string $path, callable $handler): self\n    {\n        $this->routes["GET $path"] = $handler;\n        return $this;\n    }\n\n    public function dispatch(string $method, string $uri): mixed\n    {\n        return ($this->routes["$method $uri"] ?? fn () => http_response_code(404))();\n    }\n}\n',
    "bash": '#!/bin/bash\nset -euo pipefail\n\nusage() { echo "usage: ${0##*/} [-n] [-o DIR] FILE..." >&2; exit 64; }\n\nwhile getopts "no:" option; do\n    case "$option" in\n        n) dry=1 ;;\n        o) out=$OPTARG ;;\n        *) usage ;;\n    esac\ndone\nshift $((OPTIND - 1))\nfor file in "$@"; do\n    sha256sum "$file" | awk \'{print $1}\' >> "${out:-.}/sums.txt"\ndone\n',
    "html": '<!doctype html>\n<html lang="en">\n<head>\n  <meta charset="utf-8">\n  <meta name="viewport" content="width=device-width, initial-scale=1">\n  <link rel="stylesheet" href="/assets/app.css?v=3f2a91">\n</head>\n<body class="dark">\n  <nav aria-label="Main"><a href="/" class="logo">Home</a><a href="/docs">Docs</a></nav>\n  <table><tr><td align="right">12.50</td><td>&euro;</td></tr></table>\n</body>\n</html>\n',
    "css": '.card > .title::before {\n  content: "\\201C";\n  margin: 0 0.25rem 1px -2px;\n  color: #1f2937;\n  background: linear-gradient(135deg, rgba(255, 255, 255, 0.8) 0%, transparent 60%);\n}\n\n@media (min-width: 48em) and (prefers-reduced-motion: no-preference) {\n  .card { transition: transform 120ms cubic-bezier(0.4, 0, 0.2, 1); grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr)); }\n}\n',
    "yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: gateway\n  labels: {app: gateway, tier: edge}\nspec:\n  replicas: 3\n  template:\n    spec:\n      containers:\n        - name: gateway\n          image: registry.example.com/gateway:1.14.2\n          ports: [{containerPort: 8080}]\n          resources:\n            limits: {cpu: 500m, memory: 256Mi}\n",
    "diff": "diff --git a/src/queue.c b/src/queue.c\nindex 3f1c2ab..9d04e77 100644\n--- a/src/queue.c\n+++ b/src/queue.c\n@@ -41,7 +41,9 @@ int queue_push(struct queue *q, void *item)\n \tpthread_mutex_lock(&q->lock);\n-\tif (q->count == q->capacity)\n+\tif (q->count >= q->capacity) {\n+\t\tpthread_mutex_unlock(&q->lock);\n \t\treturn -ENOSPC;\n+\t}\n \tq->items[q->tail] = item;\n",
    "traceback": 'Traceback (most recent call last):\n  File "/app/server/handlers.py", line 214, in dispatch\n    response = await handler(request, **kwargs)\n  File "/app/server/orders.py", line 87, in create_order\n    total = sum(item["price"] * item["quantity"] for item in body["items"])\nKeyError: \'quantity\'\n',
    "regex": r"^(?:[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*)@(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$",
    "latex": "\\begin{theorem}\\label{thm:main}\nLet $f\\colon X \\to Y$ be continuous and $K \\subset X$ compact. Then \\[ \\int_K |f(x)|^2 \\, d\\mu(x) \\le C \\sum_{n=1}^{\\infty} \\frac{1}{n^2} = \\frac{\\pi^2}{6} C. \\]\n\\end{theorem}\n",
}

ASCII_WORDS = (
    "the of and to in is it for on are as with his they at be this have from or one had by word but not what all were when "
    "your can said there use each which how their if will up other about out many then them these so some her would make"
).split()
PARTS = "Request Handler Abstract Factory Http Url Json Parser Buffer Async Stream Proxy Config Session Manager".split()


def generated(seed: int) -> Iterator[tuple[str, str]]:
    """What programs print and files hold."""
    chance = random.Random(seed)
    noise = chance.randbytes(2400)
    pick = chance.choice
    number = chance.randint
    yield "base64", base64.b64encode(noise).decode()
    yield "base64-lines", "\n".join(base64.encodebytes(noise).decode().split())
    yield "hex", noise.hex()
    yield "hexdump", "\n".join(f"{at:08x}  {noise[at:at + 16].hex(' ')}" for at in range(0, 1024, 16))
    yield "uuids", "\n".join(str(uuid.UUID(bytes=chance.randbytes(16))) for _ in range(50))
    yield "checksums", "\n".join(f"{hashlib.sha256(bytes([n])).hexdigest()}  dist/file-{n}.tar.gz" for n in range(30))
    yield "numbers", "\n".join(" ".join(f"{chance.uniform(-99, 999):.3f}" for _ in range(8)) for _ in range(60))
    yield "csv", "id,name,x,y\n" + "\n".join(f"{number(1, 99999)},{pick(ASCII_WORDS)},{chance.random():.6f},{number(-9, 9)}" for _ in range(90))
    yield "tsv", "\n".join("\t".join(str(number(0, 99999)) for _ in range(9)) for _ in range(60))
    yield "log", "\n".join(
        f"2026-11-{number(1, 30):02d}T{number(0, 23):02d}:{number(0, 59):02d}:07.{number(0, 999):03d}Z {pick(['INFO', 'WARN', 'ERROR'])} "
        f"[worker-{number(1, 9)}] service.{pick(PARTS)} - request {number(1, 9**7)} from 10.0.{number(0, 255)}.{number(1, 254)} took {number(1, 4000)} ms"
        for _ in range(40)
    )
    yield "listing", "\n".join(f"-rw-r--r--  1 root root {number(10, 9**7):>9} Nov {number(1, 30):>2} 12:{number(0, 59):02d} {pick(ASCII_WORDS)}.c" for _ in range(50))
    yield "search-hits", "\n".join(f"src/{pick(ASCII_WORDS)}/{pick(ASCII_WORDS)}.ts:{number(1, 999)}:  const {pick(ASCII_WORDS)} = await {pick(ASCII_WORDS)}({number(0, 9)});" for _ in range(50))
    yield "json", json.dumps([{"id": number(1, 9**6), "name": pick(ASCII_WORDS), "active": chance.random() < 0.5, "tags": ["a", "bb"], "score": round(chance.random(), 3)} for _ in range(40)])
    yield "pretty-json", json.dumps({pick(ASCII_WORDS) + str(n): {"value": n, "unit": None, "list": [1, 2, 3]} for n in range(40)}, indent=2)
    yield "camel-case", " ".join("".join(pick(PARTS) for _ in range(number(2, 6))) for _ in range(120))
    yield "snake-case", " ".join("_".join(pick(ASCII_WORDS) for _ in range(number(2, 6))) for _ in range(120))
    yield "constants", "\n".join("_".join(pick(PARTS).upper() for _ in range(number(2, 4))) + f" = {number(0, 999)}" for _ in range(80))
    yield "short-words", " ".join(pick(ASCII_WORDS) for _ in range(400))
    yield "one-word", " ".join(["word"] * 500)
    yield "letters", " ".join(pick(string.ascii_letters) for _ in range(400))
    yield "indented", "\n".join(" " * number(0, 48) + pick(["x", "}", "end", "return", "else {"]) for _ in range(120))
    yield "tabs", "\n".join("\t" * number(0, 4) + pick(["x := 1", "}", "return nil"]) for _ in range(120))
    yield "blank-lines", "\n\n\n".join(pick(ASCII_WORDS) for _ in range(150))
    yield "emoji", " ".join(pick(["Great 🎉", "😀😃😄", "🚀 ship it", "👩‍💻 code", "❤️", "✅ done", "⚠️ warning", "🇩🇪", "👍🏽"]) for _ in range(100))
    yield "boxes", "┌" + "─" * 60 + "┐\n" + "\n".join("│ " + "x" * number(1, 20) + " │" for _ in range(20)) + "\n" + "█" * 30 + "░" * 12
    yield "rules", "\n".join(pick(["=" * 79, "-" * 60, "#" * 40, "*" * 30, "_" * 50]) for _ in range(30))
    yield "markdown-table", "| a | b | c |\n|---|---|---|\n" + "\n".join(f"| {pick(ASCII_WORDS)} | `{pick(ASCII_WORDS)}` | {number(0, 99)} |" for _ in range(50))
    yield "random-signs", "".join(pick(string.printable[:94]) for _ in range(2000))
    yield "urls", "\n".join(f"https://{pick(ASCII_WORDS)}.example.com/{pick(ASCII_WORDS)}/{number(1, 9999)}?q={pick(ASCII_WORDS)}&page={number(1, 9)}#{pick(ASCII_WORDS)}" for _ in range(60))


def own_files() -> Iterator[tuple[str, str]]:
    """Texts of this project, as a client would read them aloud: with and without line numbers."""
    for pattern, most in [("Sources/**/*.swift", 12), ("docs/*.md", 4), ("Tests/Scenarios/*.py", 4)]:
        for path in sorted(ROOT.glob(pattern))[:: max(1, len(list(ROOT.glob(pattern))) // most)][:most]:
            text = path.read_text()[:8000]
            yield f"file {path.name}", text
            if path.suffix == ".swift":
                yield f"numbered {path.name}", "\n".join(f"{n:>6}\t{line}" for n, line in enumerate(text.splitlines(), 1))


def minified() -> Iterator[tuple[str, str]]:
    """JavaScript as bundlers leave it, from the wheel that the tokenizers come with."""
    bundles = sorted((wheel() / "proxy/_experimental/out").rglob("*.js"), key=lambda path: (path.stat().st_size, path.name))
    for path in bundles[-8:]:
        text = path.read_text()
        yield f"minified {path.name}", text[len(text) // 3 :][:6000]


def texts() -> Iterator[tuple[str, str]]:
    """All of them, by name."""
    yield from ((f"prose {name}", text) for name, text in PROSE.items())
    yield from ((f"code {name}", text) for name, text in CODE.items())
    yield from generated(20261121)
    yield from own_files()
    yield from minified()
