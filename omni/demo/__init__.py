"""An invented day of traffic, played through the real front door (`manage.py demo`).

`bakery`, `shop` and `clinic` are what happens, as data; `whatsapp`, `orders` and `site` say it in
the words of a provider; `player` plays it; `stand_in` takes the answers.
"""
