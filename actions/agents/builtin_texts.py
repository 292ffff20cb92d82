"""The words of the built-in agent in three languages: what it listens for and what it says. Data.

Listened-for words are without accents and in small letters.
"""

LANGUAGES = ("en", "pt", "es")

# Words that tell the languages apart; the one with most hits wins, a tie goes to the first.
TELLING = {
    "en": "the is are you what who how time help please thanks thank hello hi hey good morning "
          "my your can do does a this that tell me say repeat bye",
    "pt": "o os as voce voces que quem como hora horas ajuda ajudar obrigado obrigada oi ola bom "
          "boa dia tarde noite meu minha seu e nao sim uma um isso diga repita tchau quero preciso "
          "pode qual sao tudo bem eu",
    "es": "el la los las usted tu que quien como hora horas ayuda ayudar gracias hola buenos "
          "buenas dias tardes noches mi su es y no si una un esto di repite adios quiero necesito "
          "puede puedes cual son eres estas yo",
}

# Intent -> phrases; a phrase fits where its words stand together. The first intent that fits wins.
LISTENING = {
    "about": ("who are you", "what are you", "what is omni", "whats omni", "are you a bot",
              "are you human", "quem e voce", "o que e omni", "o que e o omni", "voce e um robo",
              "voce e humano", "quien eres", "que es omni", "eres un robot", "eres humano"),
    "time": ("what time", "whats the time", "tell me the time", "que horas", "que hora",
             "tem horas"),
    "help": ("help", "what can you do", "ajuda", "ajudar", "o que voce faz", "ayuda", "ayudar",
             "que puedes hacer"),
    "thanks": ("thanks", "thank you", "obrigado", "obrigada", "valeu", "gracias"),
    "bye": ("bye", "goodbye", "see you", "tchau", "ate logo", "adios", "hasta luego"),
    "greeting": ("hello", "hi", "hey", "good morning", "good afternoon", "good evening", "oi",
                 "ola", "bom dia", "boa tarde", "boa noite", "tudo bem", "hola", "buenos dias",
                 "buenas tardes", "buenas noches", "que tal"),
}
ECHO = frozenset({"echo", "say", "repeat", "diga", "repita", "di", "repite"})

SAYING = {
    "en": {
        "greeting": "Hello{name}! I am the built-in assistant of Omni. Write \"help\" to see what "
                    "I can do.",
        "about": "I am the assistant that comes with Omni, a program and not a person. Omni "
                 "receives the messages of this account, keeps them and runs workflows on them. I "
                 "work without a language model, so I only know a few fixed answers.",
        "time": "Your message arrived at {time} UTC on {date}.",
        "help": "I can greet you, tell when your message arrived, repeat a text (\"echo ...\") and "
                "say what I am. For real answers, connect an agent to this account in Omni.",
        "thanks": "You are welcome!",
        "bye": "Goodbye!",
        "media": "I received {what}. I cannot look inside files.",
        "other": "I received your message ({count} words), but I have no answer to it: I am Omni's "
                 "built-in assistant and work without a language model. Write \"help\" to see what "
                 "I can do.",
        "one": "I received your message, but I have no answer to it: I am Omni's built-in "
               "assistant and work without a language model. Write \"help\" to see what I can do.",
        "image": "an image", "audio": "an audio message", "video": "a video",
        "document": "a document", "sticker": "a sticker",
    },
    "pt": {
        "greeting": "Olá{name}! Sou o assistente embutido do Omni. Escreva \"ajuda\" para ver o "
                    "que sei fazer.",
        "about": "Sou o assistente que vem com o Omni, um programa e não uma pessoa. O Omni recebe "
                 "as mensagens desta conta, guarda-as e executa fluxos com elas. Trabalho sem "
                 "modelo de linguagem, por isso só conheço algumas respostas fixas.",
        "time": "A sua mensagem chegou às {time} UTC de {date}.",
        "help": "Posso cumprimentar, dizer quando a mensagem chegou, repetir um texto "
                "(\"repita ...\") e dizer o que sou. Para respostas de verdade, ligue um agente a "
                "esta conta no Omni.",
        "thanks": "De nada!",
        "bye": "Até logo!",
        "media": "Recebi {what}. Não consigo ver o que há dentro de arquivos.",
        "other": "Recebi a sua mensagem ({count} palavras), mas não tenho resposta para ela: sou o "
                 "assistente embutido do Omni e trabalho sem modelo de linguagem. Escreva "
                 "\"ajuda\" para ver o que sei fazer.",
        "one": "Recebi a sua mensagem, mas não tenho resposta para ela: sou o assistente embutido "
               "do Omni e trabalho sem modelo de linguagem. Escreva \"ajuda\" para ver o que sei "
               "fazer.",
        "image": "uma imagem", "audio": "um áudio", "video": "um vídeo",
        "document": "um documento", "sticker": "uma figurinha",
    },
    "es": {
        "greeting": "¡Hola{name}! Soy el asistente incluido en Omni. Escribe \"ayuda\" para ver lo "
                    "que sé hacer.",
        "about": "Soy el asistente que viene con Omni, un programa y no una persona. Omni recibe "
                 "los mensajes de esta cuenta, los guarda y ejecuta flujos con ellos. Trabajo sin "
                 "modelo de lenguaje, así que solo conozco algunas respuestas fijas.",
        "time": "Tu mensaje llegó a las {time} UTC del {date}.",
        "help": "Puedo saludar, decir cuándo llegó tu mensaje, repetir un texto (\"repite ...\") y "
                "decir lo que soy. Para respuestas de verdad, conecta un agente a esta cuenta en "
                "Omni.",
        "thanks": "¡De nada!",
        "bye": "¡Hasta luego!",
        "media": "Recibí {what}. No puedo ver el contenido de los archivos.",
        "other": "Recibí tu mensaje ({count} palabras), pero no tengo respuesta: soy el asistente "
                 "incluido en Omni y trabajo sin modelo de lenguaje. Escribe \"ayuda\" para ver lo "
                 "que sé hacer.",
        "one": "Recibí tu mensaje, pero no tengo respuesta: soy el asistente incluido en Omni y "
               "trabajo sin modelo de lenguaje. Escribe \"ayuda\" para ver lo que sé hacer.",
        "image": "una imagen", "audio": "un audio", "video": "un video",
        "document": "un documento", "sticker": "un sticker",
    },
}
