from emowhy.cli import main

main()
