# The same commands as ./dev, for those who like `just`.

demo *args:
    ./dev demo {{args}}

test *args:
    ./dev test {{args}}

lint:
    ./dev lint

bench *args:
    ./dev bench {{args}}

build:
    ./dev build

# The binary, links, man pages, completions, units and configuration below DIR: `just install DESTDIR=DIR`.
install destdir:
    ./dev install {{quote(destdir)}}

# The smallest binary, for shipping.
dist:
    cargo build --profile dist --locked -p tdnf
