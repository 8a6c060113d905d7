"""Names of residues: the letter of each amino acid, of its modifications and of its protonations.

A sequence has the twenty letters and X, whatever it is read from. A modified amino acid has its
parent's letter.
"""

from __future__ import annotations

from collections.abc import Mapping

LETTERS: Mapping[str, str] = {
    "ALA": "A", "ARG": "R", "ASN": "N", "ASP": "D", "CYS": "C", "GLN": "Q", "GLU": "E",
    "GLY": "G", "HIS": "H", "ILE": "I", "LEU": "L", "LYS": "K", "MET": "M", "PHE": "F",
    "PRO": "P", "SER": "S", "THR": "T", "TRP": "W", "TYR": "Y", "VAL": "V",
}  # fmt: skip
"""The twenty amino acids by component."""

OTHER_LETTERS: Mapping[str, str] = {"U": "C", "O": "K", "B": "X", "J": "X", "Z": "X"}
"""Letters of sequences that are none of the twenty: selenocysteine and pyrrolysine are their
parents, as SEC and PYL are; B, J and Z stand for two amino acids each, as ASX, XLE and GLX do."""

UNKNOWN = frozenset({"UNK", "ASX", "GLX", "XAA", "XLE"})
"""Components that are amino acids, it is not said which."""

# What force fields call the twenty: AMBER, CHARMM, GROMOS, OPLS and Schrödinger.
_FORCE_FIELDS = {
    "C": "CYX CYM CYN CYS2 CYSH CYSM CYSS", "D": "ASH ASPH ASPP", "E": "GLH GLUH GLUP",
    "H": "HID HIE HIP HSD HSE HSP HIS1 HIS2 HISA HISB HISH HISD HISE HISP",
    "K": "LYN LYP LSN LYSN LYSH", "R": "ARN ARGN AR0", "Y": "TYM", "S": "SERD", "T": "THRD",
}  # fmt: skip

# Components of the wwPDB's Chemical Component Dictionary that are linked as peptides and have one
# of the twenty for parent, or its letter where no parent is named (D-amino acids).
# Selenocysteine and pyrrolysine, which have letters of their own, count as their parents.
_MODIFIED = {
    "A": (
        "02K 02O 02Y 0CS 0FL 0NC 1AC 1L1 1PI 23P 2AG 2RA 33W 33X 3GA 3WS 4U7 4WQ 5AB 5FQ 5OH 5XU "
        "6CV 6GL 7O5 7OZ 7VN 9WV A1ALE A1AMB A1AMC A1AT6 A1AT7 A1CTT A1H5W A1IID AA3 AA4 ABA AHO "
        "AHP AIB ALC ALM ALN ALS ALT ALV AN8 APH AYA AZH B2A B3A BP5 C22 CWD CZS DAB DAL DBZ DDZ "
        "DNP DNW DPP FB5 FB6 FLA H7V HAC HIX HQA HV5 IAM KNB LAL MA MAA N9P NA8 NAL NAM NCB NPI "
        "NWD ONH ORN PAU PYA QM8 QMB QX7 RVJ S2D S2P SEG TIH UM1 UM2 UMA VVK X5P XW1 XYC YFQ Z01 "
        "ZAL ZTK ZZJ"
    ),
    "C": (
        "00C 03Y 07O 08P 0A8 0QL 143 2CO 2XA 30V 31Q 3X9 4GJ 4J4 5CS 60F 6M6 6V1 6WK 85F 85L 8JB "
        "A1A7V A1BC0 A1CRT A1D64 A1ECI AEA AGT BB6 BB7 BB9 BBC BCS BCX BPE BTC BUC C1T C3Y C4R "
        "C5C C6C CAF CAS CAY CCS CEA CG6 CGL CGV CME CMH CML CMT CS0 CS1 CS3 CS4 CSA CSB CSD CSE "
        "CSJ CSO CSP CSR CSS CSU CSW CSX CSZ CY0 CY1 CY3 CY4 CYA CYD CYF CYG CYM CYQ CYR CYW CZ2 "
        "CZZ DC2 DCY DYS ECX EFC EJA FFM FOE GQI GT9 HCM HNC HTI I3L ICY J3D JJJ JJK JJL K1R K5H "
        "M0H MCS MD3 MD5 NPH NYB NYS OCS OCY P1L P9S PBB PEC PR3 PYX Q8X QCS QNQ QNT QNW QO2 QO5 "
        "QO8 QPA QVA R1A S2C SCH SCS SCY SEC SHC SIB SMC SNC TNB TQZ TSY UJR V44 VI3 XCN YCM YRV "
        "ZBZ ZLF ZZD"
    ),
    "D": (
        "0A0 0AK 0TD 3MD 7ID 7TK 999 A1ER5 ACB AKL AKZ AS2 ASA ASB ASI ASK ASL ASQ B3D BFD BH2 "
        "BHD D2T DAS DMK DOH DSP DYA FL6 IAS KKD LAA OHS OXX PAS PHD TAV ZJU"
    ),
    "E": (
        "11W 3GL 3O3 5HP 86N 9NE AR4 B3E CGA CGU DGL DV9 EME FGA G01 G8M GAM GAU GGL GHC GHW GLJ "
        "GLK GLQ GMA GME GSU ILG LME MEG NHL R0K RGP VHF X2W"
    ),
    "F": (
        "0A9 0BN 1PA 200 23F 2GX 33S 3CF 41H 4AF 4CF 4II 4OU 4PH 4SJ 55I 5CR 7N8 7T2 7VU 7W2 7XC "
        "9DT 9NF A1C3V A1CCR A1ECK A1ECL A1H2H A1IHG A1IPL A1L4D A1MCG A3U B1F B2F BB8 BIF BNN "
        "DJD DPN EHP F2F FC0 FCL FX9 H14 HOX HP9 HPC HPE HPH HPQ IAE IOY LWI MEA MHU N0A NDF NFA "
        "OZW PBF PCS PF5 PFF PHA PHI PHL PHM PM3 PPN PSA QPH SMF T11 TEF TFQ TSQ U3X UXQ V1C V3E "
        "V61 WFP WPA X5U XA6 YC3 ZCL ZV4"
    ),
    "G": (
        "0AC 3XH 5PG 9DS A1AZQ CHP CR5 D3P DGH EJJ FGL GEE GHP GL3 GLZ GSC HGY I4G IC0 IGL IPG "
        "LPG LVG M30 MD6 MEU MGY MPQ MSA NLY NMC OZ3 PG9 PGY PRV SAR SHP UGY ZSX"
    ),
    "H": (
        "2HF 2SO 3AH 3ZH 56A A1A7R A1AS0 A1ASZ A1AZ2 A1I9G A1IQX B3U DDE DHI E9V HBN HHI HIA HIC "
        "HIP HIQ HOO HS8 HS9 HSK HSO HSV I4O MH1 MHS NEM NEP NZH OGC OHI OLD OYL PJ3 PSH PVH Q75 "
        "SNK V5N Z70"
    ),
    "I": ("5GM 66D 7JA B2I BIU DIL I2M IIL ILM ILX IML QIL RX9 TS9"),
    "K": (
        "0A2 2KK 2KP 3QN 4AK 5CT 5GG 5MW 5OW 5T3 6CL 6G4 6HN 73P 74P 7QK 8RE 9E7 9KP 9TR 9TU 9TX "
        "9U0 A1BDE A1BEB A1BX4 A1D5B A1EDD A1EG1 A1EIU A1EJ1 A1EJ4 A1EJR A1EJS A1EJT A1EJZ A1EMP "
        "A1H5N A1H96 A1LUV A1LWV A66 ALY API APK AZK B3K BLY BTK C1X CCL CLG CLH CYJ DLS DLY DM0 "
        "DNL DNS ELY EXA FAK FDL FF9 FH7 FHL FHO FQA FZN GND GPL HLY I2F I58 IEL IT1 JGO JLP KBE "
        "KCR KCX KEO KFP KGC KHB KPF KPI KPY KR3 KST KYQ L5P LA2 LBY LBZ LCK LCX LDH LET LGY LLO "
        "LLP LLY LLZ LMF LP6 LRK LSO LYF LYK LYM LYN LYO LYR LYU LYX LYZ M2L M3L M3R MCL ML3 MLY "
        "MLZ MYK N65 NOT OBS PE1 PRK PYH PYL Q3P SHR SKH SLL SLZ TLY TRG V7T VB1 VPV XRW XX1 Y57 "
        "YHA ZAI"
    ),
    "L": (
        "0AG 2LU 2ML 8WY A1A5T A1ADO AN6 BL2 BLE BNO BTA CLE DLE DNE DON EXY FLE G5G HL2 HL5 HLU "
        "KW4 L3O LAY LED LEF LEH LEM LEN LEX LNE LNM MHL MK8 MLE MLL MNL NLB NLE NLN NLO NLP NLW "
        "PLE S0R T3R TDD WLU Y1V"
    ),
    "M": (
        "2FM 4CY 4MM A1LUD AME CXM ESC FME IZO KOR M2S ME0 MED MHO MME MS6 MSE MSL MSO MT2 MV6 "
        "OMT SME"
    ),
    "N": (
        "02L 1IP 41Q 5VV 823 9DN A1LUT A5N AFA AHB AS7 B3X CE7 DMH DSG HTN MEN MND NB8 SD4 SNN XSN"
    ),
    "P": (
        "037 04U 04V 05N 0LF 0Y8 11Q 12L 12X 12Y 2MT 2P0 3BY 3PX 3WX 4FB 4KY 4L0 4N7 4N8 4N9 6Y9 "
        "7YO 8LJ A1A3M A1CAB A1D5E A1D9O A1ICB A1ICC A1L2U DPL DPR DYJ E0Y FP9 FPK G8X H5M HY3 "
        "HYP HZP JKH KLF LPD LWY MP8 N7P N80 N8P P2Y PCC PH6 PKR PLJ POM PR4 PR7 PR9 PRJ PRS PXU "
        "RT0 SLR TPJ TPK V3C VH0 XPR XRE YPR ZI0 ZPO ZYJ ZYK"
    ),
    "Q": ("A1L4B DGN ECC GHG GLH GNC LMQ MEQ MGN NLQ PCA QCI QMM QQ8 YTF ZKO"),
    "R": (
        "0AR 0X9 2MR 2OR 4AR 4D4 4J5 73N 9NR A1CCS A1EFT A1LTQ AAR ACL AGM AR2 AR7 ARM ARO BOR "
        "BWV CIR DA2 DAR DIR EI4 FIO G3M HAR HMR HR7 HRG IAR IOR J9Y MAI MGG MMO MYN NMM NNH OAR "
        "OPR ORQ POK RGL RPI THZ VR0 WYK"
    ),
    "S": (
        "0AH 1X6 2JG 2RX 2ZC 432 4HH 4HJ 4OV 4OZ 5R5 73C 8SP A1BC5 A1BZO A1EIC A1IKP A9D AZS B3S "
        "BG1 BSE BWB BXT CWR DBS DHA DISEP DSE DSN EW6 FGP GFT GVL HSE HSL I7F J8W K5L K7K LPS "
        "MC1 MH6 MIR MIS MKF N10 NC1 O2E OAS OLZ OMH OSE PG1 RVX RZ4 S12 S1H SAC SBL SDP SEB SEE "
        "SEL SEM SEN SEP SET SGB SNM SOY SRZ SUN SVA SVV SVW SVX SVY SVZ SWW SXE TIS TNR UF0"
    ),
    "T": (
        "0E5 26B 28X 2QZ 2TL 6BR AEI ALO B27 BMT CTH D11 DBU DTH EUP IYT NZC O7A OLT OTH T8L T9E "
        "TBM TH5 TH6 THC TMB TMD TNY TPO X5V XDT YTH Z3E ZU0"
    ),
    "V": (
        "0AA 0AB 2VA 34E 9NV A1A8T A1AVU A1ECM A8E B2V BUG DHN DHV DIV DVA EU0 FVA HVA LE1 LEI "
        "LHV LVN MNV MVA NVA O7G RXL TBG VAD VAF VAH VAI WVL X60 ZQN"
    ),
    "W": (
        "0AF 0UO 1TQ 32S 32T 4AW 4DP 4FW 4HT 4IN 4OG 4PQ 54C 5CW 6CW A1A5S A1AL8 A1AP1 A1AWS "
        "A1D7R A1H2I A1H45 A1L7E BTR CTE DTR E9M EXL F7W FT6 FTR HRP HT7 HTR KYN LTR LTU O6H O7D "
        "PAT Q2E R4K RE0 RE3 TCR TGH TNQ TOQ TOX TPL TQI TQQ TRF TRN TRO TRQ TRW TRX TRY TTQ UX8 "
        "V6W WRP WWB ZIQ"
    ),
    "Y": (
        "05O 0A1 0EA 0PR 0WZ 1OP 1TY 2LT 2R3 2TY 3CT 3MY 3NF 3TY 3YM 4BF 4HL 4LZ 51T 73O A1CCQ "
        "A1D5P A30 AGQ AZY B3Y BYR DAH DBY DI7 DPQ DTY E9C ESB F2Y F7Q FLT FTY FY2 FY3 G1X IB9 "
        "IYR J2F MBQ MDF MTY NBQ NIY NTR NTY OMX OMY P2Q P3Q PAQ PTH PTM PTR STY T0I TCQ TPQ TTS "
        "TXY TY1 TY2 TY3 TY5 TY8 TY9 TYB TYC TYE TYI TYJ TYN TYO TYQ TYS TYT TYW TYY U2X YNM YOF "
        "YPZ YTL ZDJ ZT6"
    ),
}


def _table() -> dict[str, str]:
    found = {comp: letter for letter, comps in _MODIFIED.items() for comp in comps.split()}
    found |= {comp: letter for letter, comps in _FORCE_FIELDS.items() for comp in comps.split()}
    found |= LETTERS
    # AMBER calls the first and last residues NALA and CALA.
    ends = {*LETTERS, "HID", "HIE", "HIP", "CYX", "CYM", "ASH", "GLH", "LYN"}
    return found | {f"{end}{comp}": found[comp] for end in "NC" for comp in ends}


COMMON: Mapping[str, str] = _table()
"""The letter of every residue that is, or derives from, one of the twenty."""

NUCLEOTIDES = frozenset(
    f"{sugar}{base}{end}"
    for sugar in ("", "D", "R")
    for base in "ACGUTIN"
    for end in ("", "3", "5")
) | {"ADE", "CYT", "GUA", "THY", "URA", "PSU"}
"""Components of nucleic acids."""

WATERS = frozenset({"HOH", "DOD", "WAT", "H2O", "SOL", "TIP", "TIP3", "TIP4", "T3P", "T4P", "SPC"})


def letter_of(comp: str, parents: Mapping[str, str]) -> str:
    """Return the letter of a component, X where none is known.

    Parameters
    ----------
    parents
        Letters by component as the file itself names them; they come first.
    """
    return parents.get(comp) or COMMON.get(comp, "X")


def is_amino_acid(comp: str, parents: Mapping[str, str]) -> bool:
    """Return whether a component is known to be an amino acid."""
    return comp in parents or comp in COMMON or comp in UNKNOWN
